import { GapcamError } from "../error.ts";
import { findFile, readDataFile } from "./_read_data_file.ts";
import { MemoryDataset, toLabels } from "./_memory_dataset.ts";
import type { Dataset } from "./dataset.ts";

const SIDE = 96;
const IMAGE_BYTES = 3 * SIDE * SIDE;

/** STL-10's class names, in the order of its labels 1 to 10. */
export const STL10_CLASSES = [
  "airplane",
  "bird",
  "car",
  "cat",
  "deer",
  "dog",
  "horse",
  "monkey",
  "ship",
  "truck",
] as const;

/**
 * Opens STL-10 (Coates, Lee and Ng 2011) in a folder of its binary files:
 * images of 3 x 96 x 96 bytes, each channel in column-major order, labels 1
 * to 10.
 */
export function openStl10(
  split: "train" | "test",
  folder: string,
): Dataset {
  const [imageFile, labelFile] = stl10Files(split, folder);
  function read(path: string | undefined, name: string, limit: number) {
    if (path) return { path, bytes: readDataFile(path, limit) };
    throw new GapcamError(
      "not-found",
      `Cannot find ${name} in ${folder} or below it`,
    );
  }
  const images = read(imageFile, `${split}_X.bin`, 100_000 * IMAGE_BYTES);
  if (images.bytes.length === 0 || images.bytes.length % IMAGE_BYTES !== 0) {
    throw new GapcamError(
      "bad-data",
      `Cannot read ${images.path}: it has ${images.bytes.length} bytes, ` +
        `expected a multiple of ${IMAGE_BYTES}`,
    );
  }
  const count = images.bytes.length / IMAGE_BYTES;
  const raw = read(labelFile, `${split}_y.bin`, 100_000);
  if (raw.bytes.length !== count) {
    throw new GapcamError(
      "bad-data",
      `Cannot read ${raw.path}: it has ${raw.bytes.length} labels, expected ` +
        `${count}, one for each image`,
    );
  }
  const labels = toLabels(raw.bytes, STL10_CLASSES.length, {
    source: raw.path,
    first: 1,
  });
  return new MemoryDataset(transpose(images.bytes, count), labels, {
    name: "stl10",
    split,
    classes: STL10_CLASSES,
    height: SIDE,
    width: SIDE,
    channels: 3,
  });
}

/** The files of a split, images and labels, where they are there. */
export function stl10Files(
  split: "train" | "test",
  folder: string,
): (string | undefined)[] {
  return [`${split}_X.bin`, `${split}_y.bin`].map((name) =>
    findFile(folder, [`stl10_binary/${name}`, name])
  );
}

/** [N, C, column, row] to [N, row, column, C]. */
function transpose(source: Uint8Array, count: number): Uint8Array {
  const target = new Uint8Array(source.length);
  let from = 0;
  for (let image = 0; image < count; image++) {
    const start = image * IMAGE_BYTES;
    for (let channel = 0; channel < 3; channel++) {
      for (let column = 0; column < SIDE; column++) {
        let to = start + column * 3 + channel;
        for (let row = 0; row < SIDE; row++, to += SIDE * 3) {
          target[to] = source[from++]!;
        }
      }
    }
  }
  return target;
}
