import { GapcamError } from "../error.ts";
import { findFile, readDataFile } from "./_read_data_file.ts";
import { MemoryDataset, toLabels } from "./_memory_dataset.ts";
import type { Dataset } from "./dataset.ts";

const SIDE = 32;
const PIXELS = SIDE * SIDE;

/** CIFAR-10's class names, in the order of its labels. */
export const CIFAR10_CLASSES = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
] as const;

// deno-fmt-ignore
const CIFAR100_CLASSES = [
  "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle",
  "bicycle", "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel",
  "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
  "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
  "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster",
  "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
  "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse",
  "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear",
  "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
  "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea",
  "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
  "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
  "telephone", "television", "tiger", "tractor", "train", "trout", "tulip",
  "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
] as const;

const SETS = {
  cifar10: {
    folder: "cifar-10-batches-bin",
    python: "cifar-10-batches-py",
    classes: CIFAR10_CLASSES,
    labelBytes: 1,
    train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
    test: ["test_batch.bin"],
  },
  cifar100: {
    folder: "cifar-100-binary",
    python: "cifar-100-python",
    classes: CIFAR100_CLASSES,
    // The coarse label first, then the fine one, which we use.
    labelBytes: 2,
    train: ["train.bin"],
    test: ["test.bin"],
  },
} as const;

/**
 * Opens CIFAR-10 or CIFAR-100 (Krizhevsky 2009) in a folder of the binary
 * version: records of one or two label bytes and 3 x 32 x 32 row-major bytes.
 */
export function openCifar(
  name: keyof typeof SETS,
  split: "train" | "test",
  folder: string,
): Dataset {
  const set = SETS[name];
  const record = set.labelBytes + 3 * PIXELS;
  const parts = cifarFiles(name, split, folder).map((path, i) => {
    if (!path) {
      const python = findFile(folder, [
        `${set.python}/${set[split][i]!.replace(".bin", "")}`,
      ]);
      throw new GapcamError(
        "not-found",
        `Cannot find ${set[split][i]} in ${folder} or below it` +
          (python
            ? `: it holds the Python version (${python}), the binary one is ` +
              "wanted"
            : ""),
      );
    }
    const bytes = readDataFile(path, 100_000 * record);
    if (bytes.length === 0 || bytes.length % record !== 0) {
      throw new GapcamError(
        "bad-data",
        `Cannot read ${path}: it has ${bytes.length} bytes, expected a ` +
          `multiple of ${record}`,
      );
    }
    return { path, bytes, count: bytes.length / record };
  });
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const pixels = new Uint8Array(count * 3 * PIXELS);
  const labels = new Int32Array(count);
  let image = 0;
  for (const { path, bytes, count } of parts) {
    const raw = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const start = i * record + set.labelBytes;
      raw[i] = bytes[start - 1]!;
      interleave(bytes, start, pixels, (image + i) * 3 * PIXELS);
    }
    labels.set(toLabels(raw, set.classes.length, { source: path }), image);
    image += count;
  }
  return new MemoryDataset(pixels, labels, {
    name,
    split,
    classes: set.classes,
    height: SIDE,
    width: SIDE,
    channels: 3,
  });
}

/** The files of a split, where they are there. */
export function cifarFiles(
  name: keyof typeof SETS,
  split: "train" | "test",
  folder: string,
): (string | undefined)[] {
  const set = SETS[name];
  return set[split].map((file) =>
    findFile(folder, [`${set.folder}/${file}`, file])
  );
}

function interleave(
  planes: Uint8Array,
  start: number,
  target: Uint8Array,
  offset: number,
): void {
  for (let pixel = 0, to = offset; pixel < PIXELS; pixel++, to += 3) {
    const red = start + pixel;
    target[to] = planes[red]!;
    target[to + 1] = planes[red + PIXELS]!;
    target[to + 2] = planes[red + 2 * PIXELS]!;
  }
}
