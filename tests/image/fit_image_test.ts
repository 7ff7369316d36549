import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { fitImage } from "../../src/image/fit_image.ts";
import { resizeBilinear } from "../../src/image/resize_bilinear.ts";
import { files } from "./_files.ts";
import { largestDifference, testImage } from "./_reference.ts";

for (const { height, width, size, data, expected } of files.fit) {
  Deno.test(`fitImage() crops ${height}x${width} to ${size} within a level of torchvision`, () => {
    const image = { height, width, channels: 3, data } as const;
    const fitted = fitImage(image, size, size);
    const difference = largestDifference(fitted.data, expected);
    assert(difference <= 1, `largest difference ${difference}`);
  });
}

Deno.test("fitImage() stretches to any proportions", () => {
  const image = testImage(20, 10, 3);
  assertEquals(
    fitImage(image, 7, 9, { fit: "stretch" }),
    resizeBilinear(image, 7, 9),
  );
});

Deno.test("fitImage() gives the size that is asked for", () => {
  for (const [height, width] of [[1, 1], [50, 3], [3, 50], [17, 19]] as const) {
    for (const [toHeight, toWidth] of [[5, 5], [1, 9], [30, 4]] as const) {
      const fitted = fitImage(testImage(height, width, 1), toHeight, toWidth);
      assertEquals([fitted.height, fitted.width], [toHeight, toWidth]);
      assertEquals(fitted.data.length, toHeight * toWidth);
    }
  }
});

Deno.test("fitImage() returns an image that fits already", () => {
  const image = testImage(8, 8, 3);
  assertStrictEquals(fitImage(image, 8, 8), image);
});

Deno.test("fitImage() rejects another fit", () => {
  assertThrows(
    () => fitImage(testImage(2, 2, 1), 1, 1, { fit: "pad" as "crop" }),
    GapcamError,
    'Cannot fit image: found fit "pad", expected "crop" or "stretch"',
  );
});
