import { assert, assertEquals, assertRejects } from "@std/assert";
import { nodeCrypto } from "../../src/_node.ts";
import { GapcamError } from "../../src/error.ts";
import { decodeImage } from "../../src/image/decode_image.ts";
import { toRgb } from "../../src/image/to_rgb.ts";
import { FIXTURES } from "./_reference.ts";

const folder = new URL("odd/", FIXTURES);
const expected: {
  [name: string]: { height: number; width: number; sha256: string };
} = JSON.parse(Deno.readTextFileSync(new URL("odd.json", FIXTURES)));

for (const [name, { height, width, sha256 }] of Object.entries(expected)) {
  Deno.test(`decodeImage() gives Pillow's pixels of ${name}`, async () => {
    const image = toRgb(await decodeImage(read(name)));
    assertEquals([image.height, image.width], [height, width]);
    const hash = nodeCrypto().createHash("sha256").update(image.data);
    assertEquals(hash.digest("hex"), sha256);
  });
}

for (
  const [name, message] of [
    ["heic_inside.jpg", "found a HEIC picture, expected a PNG, JPEG, WebP"],
    ["web_page.jpg", "found a web page, expected"],
    ["lfs_pointer.jpg", "found a Git LFS pointer, expected"],
    ["appledouble.jpg", "found a companion file of macOS (AppleDouble)"],
    ["cgbi.png", "found a PNG of Apple's own kind (CgBI"],
  ] as const
) {
  Deno.test(`decodeImage() calls ${name} by its name`, async () => {
    await assertRejects(
      () => decodeImage(read(name), { source: name }),
      GapcamError,
      `Cannot read ${name}: ${message}`,
    );
  });
}

for (
  const [start, name] of [
    ["%PDF-1.7", "a PDF document"],
    ['<?xml version="1.0"?>\n<!-- x -->\n<svg>', "an SVG drawing"],
    ["\ufeff  <!DOCTYPE HTML><svg>", "a web page"],
    ["\0\0\0\x20ftypisom\0\0\0\0mp41avc1", "a video"],
    ["\x1aE\xdf\xa3", "a video"],
    ["\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"],
    ["8BPS\0\x01", "a Photoshop picture"],
    ["PK\x03\x04", "a ZIP archive"],
  ] as const
) {
  Deno.test(`decodeImage() calls ${JSON.stringify(start)} ${name}`, async () => {
    const bytes = start.startsWith("\ufeff")
      ? new TextEncoder().encode(start)
      : Uint8Array.from(start, (character) => character.charCodeAt(0));
    await assertRejects(
      () => decodeImage(bytes),
      GapcamError,
      `Cannot read image: found ${name}, expected a PNG, JPEG`,
    );
  });
}

for (
  const name of ["lossy.webp", "plain.gif", "deflate.tif", "lzw_grey.tif"]
) {
  Deno.test(`decodeImage() refuses ${name} cut off, or gives all of it`, async () => {
    const file = read(name);
    const whole = (await decodeImage(file)).data;
    let refused = 0;
    for (let length = 1; length < file.length; length += 17) {
      try {
        const { data } = await decodeImage(file.subarray(0, length));
        assertEquals(data, whole, `${length} of ${file.length} bytes`);
      } catch (error) {
        if (!(error instanceof GapcamError)) throw error;
        refused++;
      }
    }
    assert(refused > 0);
  });
}

Deno.test("decodeImage() lays transparent pixels on a background if it is told one", async () => {
  const file = read("alpha.webp");
  const hidden = await decodeImage(file);
  const white = await decodeImage(file, { background: [255, 255, 255] });
  const red = await decodeImage(file, { background: [255, 0, 0] });
  // The corner is transparent and black.
  assertEquals([...hidden.data.subarray(0, 3)], [0, 0, 0]);
  assertEquals([...white.data.subarray(0, 3)], [255, 255, 255]);
  assertEquals([...red.data.subarray(0, 3)], [255, 0, 0]);
  assertEquals(white.data.slice(-3), hidden.data.slice(-3));
});

function read(name: string): Uint8Array {
  return Deno.readFileSync(new URL(name, folder));
}
