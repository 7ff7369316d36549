import { GapcamError } from "../error.ts";
import { MemoryDataset } from "./_memory_dataset.ts";
import { checkDataset } from "./check_dataset.ts";
import type { Dataset, SplitName } from "./dataset.ts";

/** Images in memory, and what they show; see {@linkcode datasetOf}. */
export interface DatasetArrays {
  /**
   * Pixels of all images, one after the other, each in rows from the top, the
   * channels of a pixel side by side: `labels.length * height * width *
   * channels` bytes. They are not copied.
   */
  images: Uint8Array | Uint8ClampedArray;
  /** The class of each image, from 0; -1 for one that is to count nowhere. */
  labels?: ArrayLike<number>;
  /**
   * In place of labels, where images may show several classes or none: for each
   * image and class 1, 0, or -1 if it is not known.
   */
  targets?: ArrayLike<number>;
  /** Names of the classes. */
  classes: readonly string[];
  /** Height of every image in pixels. */
  height: number;
  /** Width of every image in pixels. */
  width: number;
  /** Channels of every image: 1 (grey) or 3 (RGB). Default: 3. */
  channels?: 1 | 3;
  /** What to call it in messages and checkpoints. Default: `custom`. */
  name?: string;
  /** Which split this is. Default: `train`. */
  split?: SplitName;
}

/**
 * Makes a data set of arrays, to train and test on. Where images do not fit
 * into memory, any object that is a {@linkcode Dataset} does as well: its
 * `read` may fetch them from wherever they are.
 *
 * @param arrays Images, labels and classes.
 * @returns The data set.
 * @throws {GapcamError} If the numbers of bytes, labels and classes do not fit
 * each other.
 *
 * @example Telling bright images from dark ones
 * ```ts
 * import {
 *   datasetOf, evaluate, Network, openDevice, train, trainingConfig, vgg,
 * } from "@gapcam/gapcam";
 *
 * const images = new Uint8Array(40 * 8 * 8);
 * const labels = Array.from({ length: 40 }, (_, i) => i % 2);
 * labels.forEach((label, i) => images.fill(200 * label, i * 64, (i + 1) * 64));
 * const dataset = datasetOf({
 *   images, labels, classes: ["dark", "bright"], height: 8, width: 8, channels: 1,
 * });
 * const model = vgg([4, "M", 8], { classes: 2, inputChannels: 1 });
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, model);
 * const config = trainingConfig({
 *   imageSize: 8, batchSize: 20, epochs: 20, learningRate: 0.02,
 * });
 * await train(network, dataset, { config });
 * const { accuracy } = await evaluate(network, dataset);
 * if (accuracy !== 1) throw new Error(`${accuracy}`);
 * ```
 */
export function datasetOf(arrays: DatasetArrays): Dataset {
  const { images, height, width, channels = 3 } = arrays;
  const name = arrays.name ?? "custom", split = arrays.split ?? "train";
  // Before they become integers, so that 0.5 does not become 0.
  const labels = labelsOf(arrays);
  const targets = arrays.targets && Float32Array.from(arrays.targets);
  checkDataset({
    ...{ name, split, height, width, channels, labels: labels as never },
    classes: arrays.classes,
    length: labels.length,
    ...(targets ? { targets } : {}),
    read() {},
  });
  const bytes = labels.length * height * width * channels;
  if (images.length !== bytes) {
    throw new GapcamError(
      "bad-data",
      `Cannot use data set ${name} (${split}): found ${images.length} bytes ` +
        `of images, expected ${labels.length} x ${height} x ${width} x ` +
        `${channels} = ${bytes}`,
    );
  }
  const pixels = new Uint8Array(
    images.buffer,
    images.byteOffset,
    images.byteLength,
  );
  return new MemoryDataset(pixels, Int32Array.from(labels), {
    ...{ name, split, height, width, channels },
    classes: [...arrays.classes],
    ...(targets ? { targets } : {}),
  });
}

/** The labels that were given, or the first class of each image. */
function labelsOf(arrays: DatasetArrays): number[] {
  const { labels, targets, classes, name = "custom" } = arrays;
  if ((labels === undefined) === (targets === undefined)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot make data set ${name}: found ${
        labels ? "both labels and targets" : "neither labels nor targets"
      }, expected one of them`,
    );
  }
  if (labels) return Array.from(labels);
  const all = Array.from(targets!);
  const count = Math.ceil(all.length / Math.max(1, classes.length));
  return Array.from({ length: count }, (_, i) => {
    const row = all.slice(i * classes.length, (i + 1) * classes.length);
    return Math.max(0, row.findIndex((target) => target > 0.5));
  });
}
