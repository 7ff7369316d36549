import { assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { fitImage, fitRegion } from "../../src/image/fit_image.ts";
import { fitPhotograph } from "../../src/image/fit_photograph.ts";
import { testImage } from "./_reference.ts";

const EXPECTED = {
  imageSize: 28,
  interpolation: "bicubic",
  cropShare: 0.875,
  mean: [0.1, 0.5, 1],
  deviation: [1, 1, 1],
} as const;

Deno.test("fitPhotograph() cuts, stretches and pads as the network expects, and says which part that is", () => {
  const photograph = testImage(60, 90, 3);
  const { interpolation, cropShare } = EXPECTED;
  for (const fit of ["crop", "stretch", "pad"] as const) {
    const how = {
      ...{ fit, interpolation, cropShare },
      padding: [26, 128, 255],
    } as const;
    assertEquals(fitPhotograph(photograph, EXPECTED, { fit }), {
      image: fitImage(photograph, 28, 28, how),
      region: fitRegion(photograph, 28, 28, how),
    });
  }
});

Deno.test("fitPhotograph() whole keeps proportions in steps of the network's stride", () => {
  for (
    const [height, width, step, expected] of [
      // The shorter side is 28 / 0.875, as where a crop is cut out of it.
      [64, 64, 1, [32, 32]],
      [60, 90, 1, [32, 48]],
      [60, 90, 32, [32, 64]],
      [90, 60, 32, [64, 32]],
      [500, 64, 4, [252, 32]],
      [3, 4, 8, [32, 40]],
      [1, 8, 1, [32, 256]],
    ] as const
  ) {
    const photograph = testImage(height, width, 1);
    const { image, region } = fitPhotograph(photograph, EXPECTED, {
      fit: "whole",
      stride: { height: step, width: step },
    });
    assertEquals([image.height, image.width], [...expected]);
    assertEquals(region, { top: 0, left: 0, height, width });
  }
});

Deno.test("fitPhotograph() whole refuses what would be a line", () => {
  assertThrows(
    () =>
      fitPhotograph(testImage(1, 9, 1), EXPECTED, {
        fit: "whole",
        source: "line.png",
      }),
    GapcamError,
    "Cannot show all of line.png in its proportions: found 1 x 9 pixels, " +
      "expected a side at most 8 times the other",
  );
});
