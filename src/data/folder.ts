import { exists } from "../_files.ts";
import { GapcamError } from "../error.ts";
import { fitRegion } from "../image/fit_image.ts";
import type { Interpolation } from "../image/preprocessing.ts";
import { DecodePool } from "./_decode_pool.ts";
import { assertIndex } from "./_memory_dataset.ts";
import { type FolderScan, scanFolder } from "./_scan_folder.ts";
import { LIST_FILE, scanList } from "./_scan_list.ts";
import type { Dataset, SplitName, UnreadableFile } from "./dataset.ts";

/** Options of {@linkcode openFolder}. */
export interface FolderOptions {
  /** Height and width that images are brought to. Default: 224. */
  size?: number;
  /** How they are resized. Default: `bilinear`. */
  interpolation?: Interpolation;
  /** Share of their shorter side that is kept, in (0, 1]. Default: 1. */
  cropShare?: number;
  /**
   * Part of each class that is for testing, where the folder has no split of
   * its own. Default: 0.2.
   */
  testFraction?: number;
  /** Seed of that split. Default: 0. */
  seed?: number;
  /** Threads that decode. Default: as many as there are cores, at most 8. */
  workers?: number;
  /** Whether a file that cannot be read is an error. Default: false. */
  strict?: boolean;
  /** Memory for decoded images, in bytes. Default: 1 GiB. */
  cacheBytes?: number;
}

/** A data set of image files; see {@linkcode openFolder}. */
export class FolderDataset implements Dataset, Disposable {
  /** `"folder"`. */
  readonly name = "folder";
  /** Which split this is. */
  readonly split: SplitName;
  /** Names of the class folders, sorted by code units. */
  readonly classes: readonly string[];
  /** Number of images. */
  readonly length: number;
  /** Height of every image after fitting. */
  readonly height: number;
  /** Width of every image after fitting. */
  readonly width: number;
  /** Images are RGB. */
  readonly channels = 3;
  /** The label of each image; -1 once it was found unreadable. */
  readonly labels: Int32Array;
  /** Which classes each image shows, of a list with several labels an image. */
  readonly targets?: Float32Array;
  /** The file of each image. */
  readonly paths: readonly string[];
  /** Which folders were taken for splits and classes, where it is not plain. */
  readonly notes: readonly string[];
  readonly #unreadable: UnreadableFile[];
  readonly #strict: boolean;
  readonly #pool: DecodePool;
  // Images 0 to #cacheable - 1 are kept once decoded.
  readonly #cache: Uint8Array;
  readonly #cached: Uint8Array;

  /** Use {@linkcode openFolder}. */
  constructor(
    split: SplitName,
    scan: FolderScan,
    options:
      & Required<Pick<FolderOptions, "size" | "workers" | "cacheBytes">>
      & {
        strict: boolean;
      }
      & Pick<FolderOptions, "interpolation" | "cropShare">,
  ) {
    const { size, workers, cacheBytes, strict, ...rest } = options;
    const { interpolation, cropShare } = rest;
    this.split = split;
    this.classes = scan.classes;
    this.length = scan.files.length;
    this.height = this.width = size;
    this.labels = Int32Array.from(scan.files, (file) => file.label);
    if (scan.targets) this.targets = scan.targets;
    this.paths = scan.files.map((file) => file.path);
    this.notes = scan.notes;
    this.#unreadable = [...scan.refused];
    this.#strict = strict;
    this.#pool = new DecodePool(size, workers, {
      ...(interpolation ? { interpolation } : {}),
      ...(cropShare ? { cropShare } : {}),
    });
    const imageBytes = size * size * 3;
    const kept = Math.min(this.length, Math.floor(cacheBytes / imageBytes));
    this.#cached = new Uint8Array(kept);
    this.#cache = new Uint8Array(kept * imageBytes);
  }

  /** Files that were found unreadable so far, and why. */
  get unreadable(): readonly UnreadableFile[] {
    return this.#unreadable;
  }

  /**
   * Decodes images, unless they are kept from an earlier time. One that cannot
   * be decoded is black, and its label becomes -1.
   *
   * @param indices Image numbers in `[0, length)`.
   * @param target At least `indices.length * height * width * 3` bytes.
   * @throws {GapcamError} If there is no such image, or, in strict mode, a file
   * cannot be read.
   */
  async read(indices: ArrayLike<number>, target: Uint8Array): Promise<void> {
    const imageBytes = this.height * this.width * 3;
    const missing: { index: number; place: number }[] = [];
    for (let place = 0; place < indices.length; place++) {
      const index = assertIndex(this, indices[place]!);
      if (this.#cached[index]) {
        const from = index * imageBytes;
        target.set(
          this.#cache.subarray(from, from + imageBytes),
          place * imageBytes,
        );
      } else missing.push({ index, place });
    }
    if (missing.length === 0) return;
    // Most often all are missing, and can be decoded in place.
    const whole = missing.length === indices.length;
    const pixels = whole ? target : new Uint8Array(missing.length * imageBytes);
    const failures = await this.#pool.decode(
      missing.map(({ index }) => this.paths[index]!),
      pixels,
    );
    for (const [i, reason] of failures) this.#report(missing[i]!.index, reason);
    missing.forEach(({ index, place }, i) => {
      const image = pixels.subarray(i * imageBytes, (i + 1) * imageBytes);
      if (!whole) target.set(image, place * imageBytes);
      if (index >= this.#cached.length) return;
      this.#cache.set(image, index * imageBytes);
      this.#cached[index] = 1;
    });
  }

  /** Ends the decoder threads; the data set cannot be read afterwards. */
  [Symbol.dispose](): void {
    this.#pool.close();
  }

  #report(index: number, reason: string): void {
    if (this.#strict) throw new GapcamError("bad-data", reason);
    if (this.labels[index] === -1) return;
    this.labels[index] = -1;
    this.#unreadable.push({ path: this.paths[index]!, reason });
  }
}

/**
 * Opens a folder of pictures: `train/CLASS/FILE` and `test/CLASS/FILE`, or
 * `CLASS/FILE` alone, of which a part of each class, chosen by a hash of the
 * files' names and the seed, is for testing.
 *
 * Splits are known by their names in any case, such as `Train`, `training_set`
 * or `seg_train`, `Test` or `testing`; `val`, `valid`, `validation` or `dev`
 * beside them is for validation. Without a split to test on, that one is taken,
 * without any a part of `train`. A split to test on that has no folders of
 * classes is left out.
 * {@linkcode FolderDataset.notes} says what was taken for what. Names of
 * classes are in Unicode's composed form (NFC); what systems put beside
 * pictures, such as `__MACOSX` or `Thumbs.db`, is left out.
 *
 * PNG, JPEG, WebP, GIF, AVIF, TIFF and BMP files are found at any depth below
 * their class, links are followed, hidden files and other kinds left out (other
 * kinds of images are listed as unreadable). Images are numbered going round the classes, so that
 * any first part of them is even. Each is resized until it just covers the
 * square wanted, and its middle is taken; transparent pixels are white. Threads decode while the device
 * works; what fits into the cache is decoded once.
 *
 * A file that cannot be decoded is found out when it is first read: it is then
 * black with label -1, which losses and accuracies leave out, and listed in
 * {@linkcode FolderDataset.unreadable}. No other image takes its place, so
 * orders and batches stay the same.
 *
 * A list may take the folder's place: a CSV file whose first line names the
 * columns `path` and `label`, perhaps `split`, or a file with a JSON object of
 * these names a line (`.jsonl`). Paths are relative to the list. Classes are the
 * labels of images to train on, in the order of numbers if all of them are. With
 * `labels` in place of `label` an image has any number of them: in a CSV file
 * with `|` between, as JSON a list.
 *
 * @param split Which images.
 * @param folder Where they are, or a list of them: `.csv`, `.tsv`, `.jsonl`.
 * @param options Size, split, threads, strictness, memory.
 * @returns The data set; dispose of it to end its threads early.
 * @throws {GapcamError} If there is no such folder or (`not-found`) no split for
 * validation where one is asked for, it holds no classes, folders
 * of splits hold none, a row of a list cannot be read (with its line) or has a
 * label that no image to train on has, a class has no images, a class is for testing only, or a
 * number is out of range.
 *
 * @example
 * ```ts
 * import { encodePng, openFolder } from "@gapcam/gapcam";
 *
 * const folder = await Deno.makeTempDir();
 * const image = { width: 2, height: 2, channels: 1, data: new Uint8Array(4) } as const;
 * for (const name of ["cat", "dog"]) {
 *   await Deno.mkdir(`${folder}/${name}`);
 *   for (let i = 0; i < 5; i++) {
 *     await Deno.writeFile(`${folder}/${name}/${i}.png`, encodePng(image));
 *   }
 * }
 * using dataset = openFolder("train", folder, { size: 8 });
 * if (dataset.length !== 8) throw new Error(`${dataset.length}`);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export function openFolder(
  split: SplitName,
  folder: string,
  options: FolderOptions = {},
): FolderDataset {
  const {
    size = 224,
    seed = 0,
    workers = Math.min(8, navigator.hardwareConcurrency),
    strict = false,
    cacheBytes = 2 ** 30,
    testFraction,
    interpolation = "bilinear",
    cropShare = 1,
  } = options;
  for (
    const [name, value, least, most] of [
      ["size", size, 1, 4096],
      ["workers", workers, 1, 64],
      ["cacheBytes", cacheBytes, 0, 2 ** 40],
    ] as const
  ) {
    if (Number.isSafeInteger(value) && value >= least && value <= most) {
      continue;
    }
    throw new GapcamError(
      "invalid-argument",
      `Cannot open the image folder ${folder}: ${name} is ${value}, expected ` +
        `a whole number from ${least} to ${most}`,
    );
  }
  // What cannot be fitted is refused before a thread finds it out.
  fitRegion({ height: size, width: size }, 1, 1, { interpolation, cropShare });
  if (!exists(folder)) {
    throw new GapcamError(
      "not-found",
      `Cannot open the image folder ${folder}: it does not exist`,
    );
  }
  const scanned = LIST_FILE.test(folder) && Deno.statSync(folder).isFile
    ? scanList
    : scanFolder;
  const scan = scanned(split, folder, {
    seed,
    ...(testFraction === undefined ? {} : { testFraction }),
  });
  if (strict && scan.refused.length > 0) {
    throw new GapcamError("bad-data", scan.refused[0]!.reason);
  }
  return new FolderDataset(split, scan, {
    ...{ size, workers, strict, cacheBytes },
    ...{ interpolation, cropShare },
  });
}
