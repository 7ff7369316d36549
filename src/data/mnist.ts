import { GapcamError } from "../error.ts";
import { findFile, readDataFile } from "./_read_data_file.ts";
import { MemoryDataset, toLabels } from "./_memory_dataset.ts";
import type { Dataset } from "./dataset.ts";
import { parseIdx } from "./idx.ts";

const CLASSES = {
  "mnist": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  "fashion-mnist": [
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
  ],
} as const;

// 60,000 images of 28 x 28 and room for larger sets of the same format.
const LIMIT = 512 * 2 ** 20;

/** Opens MNIST or Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) in a folder of IDX files. */
export function openMnist(
  name: keyof typeof CLASSES,
  split: "train" | "test",
  folder: string,
): Dataset {
  const prefix = split === "train" ? "train" : "t10k";
  const images = read(folder, `${prefix}-images-idx3-ubyte`);
  const labels = read(folder, `${prefix}-labels-idx1-ubyte`);
  const [count, height, width] = images.shape;
  if (images.shape.length !== 3 || !height || !width || !count) {
    throw new GapcamError(
      "bad-data",
      `Cannot read ${images.path}: found shape [${
        images.shape.join(", ")
      }], expected [images, height, width]`,
    );
  }
  if (labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new GapcamError(
      "bad-data",
      `Cannot read ${labels.path}: found shape [${
        labels.shape.join(", ")
      }], expected [${count}], one label for each image`,
    );
  }
  const classes = CLASSES[name];
  return new MemoryDataset(
    images.data,
    toLabels(labels.data, classes.length, { source: labels.path }),
    { name, split, classes, height, width, channels: 1 },
  );
}

function read(folder: string, name: string) {
  const path = findFile(folder, [name, `${name}.gz`]);
  if (!path) {
    throw new GapcamError(
      "not-found",
      `Cannot find ${name} or ${name}.gz in ${folder}`,
    );
  }
  return { path, ...parseIdx(readDataFile(path, LIMIT), path) };
}
