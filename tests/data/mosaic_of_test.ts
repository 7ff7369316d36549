import { assert, assertEquals, assertThrows } from "@std/assert";
import { datasetOf, GapcamError, mosaicOf, shapesDataset } from "../../mod.ts";
import { subset } from "../../src/data/subset.ts";

Deno.test("a mosaic shows its four images in full size, in the quarters that it says", async () => {
  const shapes = shapesDataset("test", { size: 16, length: 50 });
  const mosaics = mosaicOf(shapes, { length: 6, seed: 3 });
  assertEquals([mosaics.height, mosaics.width, mosaics.length], [32, 32, 6]);
  const pixels = new Uint8Array(2 * 32 * 32 * 3);
  await mosaics.read([4, 1], pixels);
  for (const [at, index] of [4, 1].entries()) {
    const boxes = mosaics.boxes(index);
    assertEquals(new Set(boxes.map(({ label }) => label)).size, 4);
    assertEquals(mosaics.labels[index], boxes[0]!.label);
    const tile = new Uint8Array(16 * 16 * 3);
    for (const [i, number] of mosaics.tiles(index).entries()) {
      const { top, left, height, width, label } = boxes[i]!;
      assertEquals([height, width, label], [16, 16, shapes.labels[number]]);
      await shapes.read([number], tile);
      for (let y = 0; y < 16; y++) {
        const from = ((at * 32 + top + y) * 32 + left) * 3;
        assertEquals(
          pixels.subarray(from, from + 48),
          tile.subarray(y * 48, (y + 1) * 48),
        );
      }
    }
  }
});

Deno.test("mosaics are the same from one seed, others from another", () => {
  const shapes = shapesDataset("test", { size: 8 });
  const tiles = (seed: number, length: number) => {
    const mosaics = mosaicOf(shapes, { seed, length });
    return Array.from({ length: 5 }, (_, i) => mosaics.tiles(i)).join(" ");
  };
  assertEquals(tiles(1, 5), tiles(1, 50));
  assert(tiles(1, 5) !== tiles(2, 5));
  assertEquals(mosaicOf(shapes).length, 250);
});

Deno.test("mosaics of fewer than four classes, or of no number, are refused", () => {
  const grey = datasetOf({
    images: new Uint8Array(6 * 4),
    labels: [0, 1, 2, 0, 1, 2],
    classes: ["a", "b", "c", "none"],
    height: 2,
    width: 2,
    channels: 1,
    name: "three",
  });
  assertThrows(
    () => mosaicOf(grey),
    GapcamError,
    "Cannot make mosaics of three: it has images of 3 classes, expected 4 or more",
  );
  assertThrows(
    () => mosaicOf(shapesDataset("test"), { length: 0 }),
    GapcamError,
    "Cannot make 0 mosaics",
  );
});

Deno.test("part of a data set keeps its boxes", () => {
  const shapes = shapesDataset("test", { size: 32, length: 20 });
  const part = subset(shapes, [7, 3]);
  assertEquals(part.boxes!(0), shapes.boxes(7));
});
