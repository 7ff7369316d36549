import { GapcamError } from "../error.ts";
import { Random } from "../random.ts";
import { assertIndex } from "./_memory_dataset.ts";
import type { Dataset, LabelledBox } from "./dataset.ts";

/** Images of a mosaic: two rows of two. */
const TILES = 4;

/** Which sequence of random numbers of a seed is the mosaics'. */
const STREAM = 0x4d4f53;

/** Options of {@linkcode mosaicOf}. */
export interface MosaicOptions {
  /** How many. Default: a quarter of the images. */
  length?: number;
  /** The same seed gives the same mosaics. Default: 0. */
  seed?: number;
}

/** A data set of mosaics, which knows what lies where. */
export interface MosaicDataset extends Dataset {
  /** Four quarters in reading order. */
  boxes(index: number): readonly LabelledBox[];
  /** The numbers of the images of a mosaic, in reading order. */
  tiles(index: number): readonly number[];
}

/**
 * Mosaics of four images of different classes each, two by two, in full size: the
 * grid pointing game of Bohle, Fritz and Schiele, "Convolutional Dynamic
 * Alignment Networks for Interpretable Classifications", CVPR 2021. In which
 * quarter each class lies is known of any data set.
 *
 * A network that ends in global average pooling takes them twice as large on each
 * side as the images it was trained on, so that every tile looks as it did in
 * training; see also Rao, Bohle and Schiele, "Towards Better Understanding
 * Attribution Methods", CVPR 2022.
 *
 * @param dataset Images of four classes or more.
 * @param options How many, and from which seed.
 * @returns The mosaics; the label of one is that of its first tile.
 * @throws {GapcamError} If fewer than four classes have images, or a number is
 * out of range.
 *
 * @example
 * ```ts
 * import { mosaicOf, shapesDataset } from "@gapcam/gapcam";
 *
 * const mosaics = mosaicOf(shapesDataset("test", { size: 32 }), { length: 5 });
 * if (mosaics.height !== 64) throw new Error();
 * const labels = mosaics.boxes(4).map(({ label }) => label);
 * if (new Set(labels).size !== 4) throw new Error();
 * ```
 */
export function mosaicOf(
  dataset: Dataset,
  options: MosaicOptions = {},
): MosaicDataset {
  const { seed = 0, length = Math.max(1, Math.floor(dataset.length / TILES)) } =
    options;
  if (!Number.isSafeInteger(length) || length < 1 || length > 2 ** 24) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot make ${length} mosaics: expected a whole number from 1 to ` +
        `${2 ** 24}`,
    );
  }
  const members = dataset.classes.map((): number[] => []);
  dataset.labels.forEach((label, i) => members[label]?.push(i));
  const classes = members.filter((images) => images.length > 0);
  if (classes.length < TILES) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot make mosaics of ${dataset.name}: it has images of ` +
        `${classes.length} classes, expected ${TILES} or more`,
    );
  }
  const { height, width, channels } = dataset;
  const tilesOf = (index: number) => {
    const random = new Random(seed, STREAM, index);
    const chosen: number[][] = [];
    while (chosen.length < TILES) {
      const images = classes[random.integer(classes.length)]!;
      if (!chosen.includes(images)) chosen.push(images);
    }
    return chosen.map((images) => images[random.integer(images.length)]!);
  };
  const all = Array.from({ length }, (_, index) => tilesOf(index));
  const mosaics: MosaicDataset = {
    name: `mosaics of ${dataset.name}`,
    split: dataset.split,
    classes: dataset.classes,
    length,
    height: 2 * height,
    width: 2 * width,
    channels,
    labels: Int32Array.from(all, ([first]) => dataset.labels[first!]!),
    notes: dataset.notes ?? [],
    get unreadable() {
      return dataset.unreadable ?? [];
    },
    tiles: (index) => all[assertIndex(mosaics, index)]!,
    boxes: (index) =>
      mosaics.tiles(index).flatMap((tile, i) => {
        const label = dataset.labels[tile]!;
        // Of an image that could not be read.
        if (label < 0) return [];
        const top = i < 2 ? 0 : height;
        const left = i % 2 === 0 ? 0 : width;
        return [{ top, left, height, width, label }];
      }),
    async read(indices, target) {
      const row = width * channels;
      const tiles = Array.from(indices, mosaics.tiles).flat();
      const pixels = new Uint8Array(tiles.length * height * row);
      await dataset.read(tiles, pixels);
      for (let i = 0; i < tiles.length; i++) {
        const mosaic = Math.floor(i / TILES), place = i % TILES;
        const first = mosaic * TILES * height * row +
          (place < 2 ? 0 : height * 2 * row) + place % 2 * row;
        for (let y = 0; y < height; y++) {
          const from = (i * height + y) * row;
          target.set(pixels.subarray(from, from + row), first + y * 2 * row);
        }
      }
    },
  };
  return mosaics;
}
