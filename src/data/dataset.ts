import type { Region } from "../image/fit_image.ts";

/** A file of a data set that cannot be read. */
export interface UnreadableFile {
  /** Where it is. */
  readonly path: string;
  /** One sentence. */
  readonly reason: string;
}

/** What images are for: to train on, to judge by on the way, to judge by at the end. */
export type SplitName = "train" | "validation" | "test";

/** Where something lies in an image, in its pixels, and of which class it is. */
export interface LabelledBox extends Region {
  /** The class, from 0. */
  readonly label: number;
}

/**
 * One split of a labelled image data set. All images have the same size.
 *
 * Implementations hold raw 8-bit pixels; resizing to the network's input size
 * and normalising happen on the device. Any object of this form can be trained
 * and tested on; `datasetOf()` makes one of arrays, `checkDataset()` says what
 * is wrong with one.
 */
export interface Dataset {
  /** The data set's name, such as `"stl10"`. */
  readonly name: string;
  /** Which split this is. */
  readonly split: SplitName;
  /** Class names; a label is an index into this list. */
  readonly classes: readonly string[];
  /** Number of images. */
  readonly length: number;
  /** Height of every image in pixels. */
  readonly height: number;
  /** Width of every image in pixels. */
  readonly width: number;
  /** Channels of every image: 1 (grey) or 3 (RGB). */
  readonly channels: 1 | 3;
  /**
   * The label of each image, `length` values in `[0, classes.length)`; -1 for
   * an image that was found unreadable, which counts nowhere.
   */
  readonly labels: Int32Array;
  /**
   * Where images may show several classes, or none: for each image and class 1,
   * 0, or -1 if it is not known, `length * classes.length` in all. `labels` then
   * says of each image the first class that it shows, 0 if none.
   */
  readonly targets?: Float32Array;
  /** Files found unreadable so far, if images are files. */
  readonly unreadable?: readonly UnreadableFile[];
  /**
   * What was taken for what when it was opened, where a user might have meant
   * something else; sentences to show.
   */
  readonly notes?: readonly string[];
  /**
   * Reads images, in the order of `indices`, as 8-bit interleaved rows (NHWC).
   *
   * @param indices Image numbers in `[0, length)`.
   * @param target At least `indices.length * height * width * channels` bytes.
   */
  read(indices: ArrayLike<number>, target: Uint8Array): void | Promise<void>;
  /**
   * Where the classes of an image lie in it, if that is known.
   *
   * @param index Image number in `[0, length)`.
   */
  boxes?(index: number): readonly LabelledBox[];
}
