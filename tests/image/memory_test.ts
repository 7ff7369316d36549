import { assert, assertEquals } from "@std/assert";
import { crc32, deflateSync } from "node:zlib";
import sharp from "npm:sharp@^0.35.5";

const MIB = 2 ** 20;

/** Fits a picture in a process of its own; seconds and bytes at the peak. */
async function fit(
  file: Uint8Array,
): Promise<{ output: string; seconds: number; peak: number }> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/picture`, file);
    const script = new URL("_fit_file.ts", import.meta.url).pathname;
    const started = performance.now();
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", script, `${folder}/picture`],
    }).output();
    const decoder = new TextDecoder();
    assertEquals(decoder.decode(stderr), "");
    const [output, peak] = decoder.decode(stdout).trim().split("\n");
    return {
      output: output!,
      seconds: (performance.now() - started) / 1000,
      peak: Number(peak) * 1024,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const whole = new Uint8Array(content.length + 12);
  const view = new DataView(whole.buffer);
  view.setUint32(0, content.length);
  whole.set(new TextEncoder().encode(type), 4);
  whole.set(content, 8);
  view.setUint32(content.length + 8, crc32(whole.subarray(4, -4)));
  return whole;
}

/** A black PNG. */
function png(
  height: number,
  width: number,
  { depth, colourType, bits }: Record<"depth" | "colourType" | "bits", number>,
): Uint8Array {
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header.set([depth, colourType], 8);
  const rows = new Uint8Array(height * (1 + Math.ceil(width * bits / 8)));
  return Uint8Array.from([
    ...[137, 80, 78, 71, 13, 10, 26, 10],
    ...chunk("IHDR", header),
    ...chunk("IDAT", deflateSync(rows)),
    ...chunk("IEND", new Uint8Array(0)),
  ]);
}

function blank(height: number, width: number) {
  return sharp({
    create: { height, width, channels: 3, background: "#804020" },
  });
}

// Bare Deno has some 70 MB, with libvips 110 MB.
const CASES: [string, () => Uint8Array | Promise<Uint8Array>, number][] = [
  ["a JPEG line of 65,500 x 1", () => blank(1, 65_500).jpeg().toBuffer(), 300],
  ["a JPEG line of 1 x 65,500", () => blank(65_500, 1).jpeg().toBuffer(), 300],
  [
    "a PNG line of 1,000,000 x 1",
    () => png(1, 1e6, { depth: 8, colourType: 0, bits: 8 }),
    300,
  ],
  [
    "a CMYK JPEG of 1,500 x 1,500",
    () => blank(1500, 1500).toColourspace("cmyk").jpeg().toBuffer(),
    300,
  ],
  [
    "a PNG of 5,000 x 5,000 with 16-bit RGBA",
    () => png(5000, 5000, { depth: 16, colourType: 6, bits: 64 }),
    600,
  ],
];

for (const [name, make, most] of CASES) {
  Deno.test({
    name: `fitImage() takes ${name} in little time and memory`,
    // The peak is read from /proc.
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      const { output, seconds, peak } = await fit(await make());
      assertEquals(output, "224 224");
      // Where all of a line was enlarged, it took over a minute and gigabytes.
      assert(seconds < 30, `${seconds} s`);
      assert(peak < most * MIB, `${peak / MIB} MiB`);
    },
  });
}
