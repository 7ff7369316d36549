import { cpuSeconds } from "../_cpu_seconds.ts";
import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { fitImage, fitRegion } from "../../src/image/fit_image.ts";
import { resizeBilinear } from "../../src/image/resize_bilinear.ts";
import { files } from "./_files.ts";
import {
  bytesOf,
  largestDifference,
  reference,
  testImage,
} from "./_reference.ts";

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

for (const entry of reference.resize) {
  const { height, width, channels, toHeight, toWidth } = entry;
  Deno.test(`fitImage() gives Pillow's bicubic bytes for ${height}x${width}x${channels} to ${toHeight}x${toWidth}`, () => {
    const image = { height, width, channels, data: bytesOf(entry.data) };
    const how = { fit: "stretch", interpolation: "bicubic" } as const;
    assertEquals(
      fitImage(image, toHeight, toWidth, how).data,
      bytesOf(entry.bicubic),
    );
  });
}

Deno.test("fitImage() cuts a share out of the middle, with the pixels of enlarging before cutting", () => {
  for (const interpolation of ["bilinear", "bicubic"] as const) {
    for (const [height, width] of [[40, 40], [61, 33], [20, 90]] as const) {
      const image = testImage(height, width, 3);
      // 28 / 0.875 is 32, and the other side keeps the proportions.
      const short = Math.min(height, width);
      const rows = Math.trunc(height * 32 / short);
      const columns = Math.trunc(width * 32 / short);
      const whole = fitImage(image, rows, columns, {
        fit: "stretch",
        interpolation,
      });
      const fitted = fitImage(image, 28, 28, {
        interpolation,
        cropShare: 0.875,
      });
      const [top, left] = [halfToEven(rows - 28), halfToEven(columns - 28)];
      const expected = new Uint8Array(28 * 28 * 3);
      for (let y = 0; y < 28; y++) {
        const from = ((top + y) * columns + left) * 3;
        expected.set(whole.data.subarray(from, from + 84), y * 84);
      }
      assertEquals(fitted.data, expected);
      const region = fitRegion(image, 28, 28, { cropShare: 0.875 });
      assertEquals(region, {
        top: top * (height / rows),
        left: left * (width / columns),
        height: 28 * (height / rows),
        width: 28 * (width / columns),
      });
    }
  }
});

Deno.test("fitImage() pads with bars, and fitRegion() says that they lie beyond the image", () => {
  const wide = testImage(10, 40, 3);
  const padded = fitImage(wide, 20, 20, { fit: "pad", padding: [1, 2, 3] });
  const inner = resizeBilinear(wide, 5, 20);
  for (let y = 0; y < 20; y++) {
    const row = padded.data.subarray(y * 60, (y + 1) * 60);
    if (y >= 7 && y < 12) {
      assertEquals(row, inner.data.subarray((y - 7) * 60, (y - 6) * 60));
    } else assertEquals(Array.from(row.subarray(0, 4)), [1, 2, 3, 1]);
  }
  assertEquals(fitRegion(wide, 20, 20, { fit: "pad" }), {
    top: -14,
    left: 0,
    height: 40,
    width: 40,
  });
  // One row of bars, none of it above; a line; grey; no bars at all.
  for (
    const [height, width, channels] of [
      [19, 20, 3],
      [1, 3000, 3],
      [3000, 1, 1],
      [8, 8, 1],
    ] as const
  ) {
    const image = testImage(height, width, channels);
    const fitted = fitImage(image, 20, 20, { fit: "pad" });
    assertEquals([fitted.height, fitted.width], [20, 20]);
    assertEquals(fitted.channels, channels);
    const { top, left, ...size } = fitRegion(image, 20, 20, { fit: "pad" });
    assertEquals(size.height >= height && size.width >= width, true);
    assertEquals([top <= 0, left <= 0], [true, true]);
  }
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

Deno.test("fitImage() rejects another fit, interpolation or share", () => {
  for (
    const [options, message] of [
      [{ interpolation: "lanczos" as "bicubic" }, 'interpolation "lanczos"'],
      [{ cropShare: 0 }, "a crop share of 0, expected a number above 0"],
      [{ cropShare: 1.1 }, "a crop share of 1.1"],
      [{ cropShare: NaN }, "a crop share of NaN"],
    ] as const
  ) {
    assertThrows(
      () => fitImage(testImage(2, 2, 1), 1, 1, options),
      GapcamError,
      `Cannot fit image: found ${message}`,
    );
  }
  assertThrows(
    () => fitImage(testImage(2, 2, 1), 1, 1, { fit: "whole" as "crop" }),
    GapcamError,
    'Cannot fit image: found fit "whole", expected "crop", "stretch" or "pad"',
  );
});

Deno.test("fitImage() cuts before it enlarges, with the pixels of enlarging before cutting", () => {
  for (
    const [height, width, channels] of [
      [31, 50, 3],
      [50, 31, 1],
      [9, 300, 4],
      [300, 9, 3],
      [2, 90, 1],
    ] as const
  ) {
    const image = testImage(height, width, channels);
    for (const [toHeight, toWidth] of [[7, 7], [31, 31], [40, 25]] as const) {
      const wide = width * toHeight >= height * toWidth;
      const covering = wide
        ? resizeBilinear(
          image,
          toHeight,
          Math.trunc(width * toHeight / height),
        )
        : resizeBilinear(image, Math.trunc(height * toWidth / width), toWidth);
      const fitted = fitImage(image, toHeight, toWidth);
      // fitRegion() in pixels of the enlarged image is the corner that was cut.
      const region = fitRegion(image, toHeight, toWidth);
      const top = Math.round(region.top * covering.height / height);
      const left = Math.round(region.left * covering.width / width);
      const expected = new Uint8Array(fitted.data.length);
      for (let y = 0; y < toHeight; y++) {
        const from = ((top + y) * covering.width + left) * channels;
        expected.set(
          covering.data.subarray(from, from + toWidth * channels),
          y * toWidth * channels,
        );
      }
      assertEquals(fitted.data, expected);
      assertEquals(top, halfToEven(covering.height - toHeight));
      assertEquals(left, halfToEven(covering.width - toWidth));
    }
  }
});

Deno.test("fitImage() takes the middle of a line of pixels without enlarging all of it", () => {
  for (const [height, width] of [[1, 1_000_000], [1_000_000, 1]] as const) {
    const data = new Uint8Array(1_000_000);
    data.fill(200, 499_900, 500_100);
    const started = cpuSeconds();
    const image = { height, width, channels: 1, data } as const;
    const fitted = fitImage(image, 224, 224);
    // Enlarging all of it would take 50 GB.
    assert(cpuSeconds() - started < 5);
    assert(fitted.data.every((value) => value === 200));
  }
});

Deno.test("fitRegion() says which part was taken, also between pixels", () => {
  // 100 rows become 7, and (17 - 7) / 2 columns of 17 are left out.
  assertEquals(fitRegion({ height: 100, width: 250 }, 7, 7), {
    top: 0,
    left: 5 * 250 / 17,
    height: 100,
    width: 7 * 250 / 17,
  });
  assertEquals(fitRegion({ height: 8, width: 5 }, 4, 4, { fit: "stretch" }), {
    top: 0,
    left: 0,
    height: 8,
    width: 5,
  });
  assertEquals(fitRegion({ height: 8, width: 8 }, 4, 4), {
    top: 0,
    left: 0,
    height: 8,
    width: 8,
  });
});

function halfToEven(value: number): number {
  const floor = Math.floor(value / 2);
  return value % 2 === 0 ? floor : floor + floor % 2;
}
