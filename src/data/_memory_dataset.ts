import { GapcamError } from "../error.ts";
import type { Dataset, SplitName } from "./dataset.ts";

/** A data set whose pixels are all in memory, as u8 NHWC. */
export class MemoryDataset implements Dataset {
  readonly name: string;
  readonly split: SplitName;
  readonly classes: readonly string[];
  readonly length: number;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly labels: Int32Array;
  readonly targets?: Float32Array;
  readonly #pixels: Uint8Array;

  constructor(
    pixels: Uint8Array,
    labels: Int32Array,
    options: {
      name: string;
      split: SplitName;
      classes: readonly string[];
      height: number;
      width: number;
      channels: 1 | 3;
      targets?: Float32Array;
    },
  ) {
    this.#pixels = pixels;
    this.labels = labels;
    this.length = labels.length;
    this.name = options.name;
    this.split = options.split;
    this.classes = options.classes;
    this.height = options.height;
    this.width = options.width;
    this.channels = options.channels;
    if (options.targets) this.targets = options.targets;
  }

  read(indices: ArrayLike<number>, target: Uint8Array): void {
    const size = this.height * this.width * this.channels;
    for (let i = 0; i < indices.length; i++) {
      const index = assertIndex(this, indices[i]!);
      target.set(
        this.#pixels.subarray(index * size, (index + 1) * size),
        i * size,
      );
    }
  }
}

/** Returns an image number that is in the data set. */
export function assertIndex(dataset: Dataset, index: number): number {
  if (Number.isSafeInteger(index) && index >= 0 && index < dataset.length) {
    return index;
  }
  throw new GapcamError(
    "invalid-argument",
    `Cannot read image ${index} of ${dataset.name} (${dataset.split}): ` +
      `it has images 0 to ${dataset.length - 1}`,
  );
}

/**
 * Checks labels and turns them into class indices.
 *
 * @param source What to name in an error, such as a path.
 * @param first The label of class 0.
 */
export function toLabels(
  values: Uint8Array,
  classes: number,
  options: { source: string; first?: number },
): Int32Array {
  const first = options.first ?? 0;
  const labels = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const label = values[i]! - first;
    if (label < 0 || label >= classes) {
      throw new GapcamError(
        "bad-data",
        `Cannot read ${options.source}: label ${values[i]} of image ${i} is ` +
          `out of range, expected ${first} to ${first + classes - 1}`,
      );
    }
    labels[i] = label;
  }
  return labels;
}
