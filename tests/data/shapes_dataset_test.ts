import { assert, assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { shapesDataset } from "../../src/data/shapes_dataset.ts";

function hash(data: Uint8Array): string {
  let h = 0x811c9dc5;
  for (const byte of data) h = Math.imul(h ^ byte, 0x01000193);
  return (h >>> 0).toString(16);
}

Deno.test("shapesDataset() gives the same images for the same seed alone", async () => {
  const images = Array.from({ length: 4 }, () => new Uint8Array(3 * 96 * 96));
  await shapesDataset("train", { seed: 5 }).read([123], images[0]!);
  await shapesDataset("train", { seed: 5, length: 200 }).read(
    [123],
    images[1]!,
  );
  await shapesDataset("train", { seed: 6 }).read([123], images[2]!);
  await shapesDataset("test", { seed: 5 }).read([123], images[3]!);
  assertEquals(images[0], images[1]);
  assertEquals(new Set(images.map(hash)).size, 3);
});

Deno.test("shapesDataset() reads any order into place", async () => {
  const dataset = shapesDataset("test", { size: 24 });
  const size = 3 * 24 * 24;
  const both = new Uint8Array(2 * size), one = new Uint8Array(size);
  await dataset.read([9, 4], both);
  await dataset.read([4], one);
  assertEquals(both.subarray(size), one);
});

Deno.test("shapesDataset() draws ten classes that differ in shape", async () => {
  const dataset = shapesDataset("train", { size: 48, length: 1000 });
  assertEquals(dataset.classes.length, 10);
  assertEquals([...dataset.labels.subarray(8, 12)], [8, 9, 0, 1]);
  // Drawn pixels differ from the ground: every image has both, in amounts
  // that a blank or a full image would not have.
  const image = new Uint8Array(3 * 48 * 48);
  for (let i = 0; i < 50; i++) {
    await dataset.read([i], image);
    let mean = 0, square = 0;
    for (const value of image) {
      mean += value / image.length;
      square += value * value / image.length;
    }
    assert(square - mean * mean > 100, `image ${i} is nearly flat`);
  }
});

Deno.test("shapesDataset() rejects numbers out of range", () => {
  for (
    const [options, message] of [
      [{ length: 0 }, "length is 0"],
      [{ length: 1.5 }, "length is 1.5"],
      [{ size: 7 }, "size is 7, expected a whole number from 8 to 1024"],
      [{ size: 2000 }, "size is 2000"],
    ] as const
  ) {
    assertThrows(() => shapesDataset("train", options), GapcamError, message);
  }
  const dataset = shapesDataset("test", { length: 5, size: 8 });
  for (const index of [-1, 5, 0.5]) {
    assertThrows(
      () => dataset.read([index], new Uint8Array(192)),
      GapcamError,
      `image ${index} of shapes (test): it has images 0 to 4`,
    );
  }
});

Deno.test("a shape's box is where its image differs from the ground alone", async () => {
  const size = 64;
  const shapes = shapesDataset("test", { size, length: 40, seed: 5 });
  const image = new Uint8Array(size * size * 3);
  for (let index = 0; index < shapes.length; index++) {
    await shapes.read([index], image);
    const [box, ...others] = shapes.boxes(index);
    assertEquals([others.length, box!.label], [0, index % 10]);
    const { top, left, height, width } = box!;
    assert(top >= 0 && left >= 0);
    assert(top + height <= size && left + width <= size);
    // Paint and ground differ by 90 and more; grain and ground's waves by less.
    const mean = (inside: boolean) => {
      const sum = [0, 0, 0];
      let count = 0;
      for (let y = 0; y < size; y++) {
        for (let x = 0; x < size; x++) {
          const within = y >= top && y < top + height && x >= left &&
            x < left + width;
          if (within !== inside) continue;
          count++;
          for (let c = 0; c < 3; c++) sum[c]! += image[(y * size + x) * 3 + c]!;
        }
      }
      return sum.map((value) => value / count);
    };
    const [within, without] = [mean(true), mean(false)];
    const distance = Math.hypot(...within.map((v, c) => v - without[c]!));
    assert(distance > 20, `image ${index}: ${distance}`);
  }
});
