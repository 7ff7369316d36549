import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { resizeBilinear } from "../../src/image/resize_bilinear.ts";
import { bytesOf, reference, testImage } from "./_reference.ts";

for (const entry of reference.resize) {
  const { height, width, channels, toHeight, toWidth } = entry;
  Deno.test(`resizeBilinear() gives Pillow's bytes for ${height}x${width}x${channels} to ${toHeight}x${toWidth}`, () => {
    const image = { height, width, channels, data: bytesOf(entry.data) };
    assertEquals(resizeBilinear(image, toHeight, toWidth), {
      height: toHeight,
      width: toWidth,
      channels,
      data: bytesOf(entry.expected),
    });
  });
}

Deno.test("resizeBilinear() leaves its input alone", () => {
  const image = testImage(9, 8, 4);
  const before = image.data.slice();
  resizeBilinear(image, 4, 13);
  assertEquals(image.data, before);
  assertStrictEquals(resizeBilinear(image, 9, 8), image);
});

Deno.test("resizeBilinear() rejects a side of 0", () => {
  assertThrows(
    () => resizeBilinear(testImage(2, 2, 1), 0, 2),
    GapcamError,
    "Cannot resize image: found height 0, expected a positive whole number",
  );
});
