// Fits the picture that the argument names to 224 x 224; prints its size, and
// how much memory the process had at most.
import { fitImage, readImage } from "../../mod.ts";
import { toRgb } from "../../src/image/to_rgb.ts";

const image = await readImage(Deno.args[0]!);
const { height, width } = toRgb(fitImage(image, 224, 224));
const status = await Deno.readTextFile("/proc/self/status");
console.log(`${height} ${width}\n${/VmHWM:\s*(\d+)/.exec(status)![1]}`);
