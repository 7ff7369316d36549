import { GapcamError } from "../error.ts";
import { Random } from "../random.ts";
import { augmentOnThreads } from "./augment/_augment_pool.ts";
import { augmentImages } from "./augment/augment_images.ts";
import {
  type Augmentation,
  augments,
  checkAugmentation,
  isLight,
} from "./augment/augmentation.ts";
import { checkMixing, mixBatch, mixes, type Mixing } from "./augment/mix.ts";
import {
  balancedOrder,
  type EpochOrder,
  plainOrder,
} from "./_balanced_order.ts";
import { batchTargets } from "./_batch_targets.ts";
import type { Dataset } from "./dataset.ts";
import { partOf } from "./part_of.ts";

/** Options of {@linkcode BatchLoader}. */
export interface BatchLoaderOptions {
  /** Images a batch, from 1 to the data set's length. */
  batchSize: number;
  /** Whether each epoch has an order of its own. Default: false. */
  shuffle?: boolean;
  /**
   * Whether each class is shown as often as the others, in an order of chance:
   * images of small classes several times an epoch. Default: false.
   */
  balance?: boolean;
  /** Seed of the order and the augmentation. Default: 0. */
  seed?: number;
  /** Random changes to the images. Default: none. */
  augmentation?: Augmentation;
  /** Pairs of images that become one; batches have targets then. Default: none. */
  mixing?: Mixing;
  /** Whether batches have targets beside labels. Default: false. */
  targets?: boolean;
  /** Whether to leave out a last batch that is not full. Default: false. */
  dropLast?: boolean;
  /**
   * Which of several parts of each batch is loaded, by the ranks of a run; parts
   * of the first ranks are longer by one where it does not divide. Default: all.
   */
  part?: { rank: number; size: number };
}

/** One batch; the last of an epoch may be short. */
export interface Batch {
  /** Number of the batch in its epoch, from 0. */
  readonly step: number;
  /** How many images it has: `batchSize`, or what was left; of a part, its own. */
  readonly count: number;
  /** How many images of the whole batch come before; 0 unless this is a part. */
  readonly first: number;
  /** How many images the whole batch has, of which this may be a part. */
  readonly whole: number;
  /** u8 NHWC, `count` images. */
  readonly images: Uint8Array;
  /** `count` class indices; -1 where an image is to count nowhere. */
  readonly labels: Int32Array;
  /**
   * Where they are asked for, a number for each image and class, `count * classes`
   * in all: how much of the class the image is to show. Rows of images that count
   * nowhere are -1.
   */
  readonly targets?: Float32Array;
  /** The images' numbers in the data set. */
  readonly indices: Uint32Array;
}

/** Domain of random numbers; augmentation and validation have others. */
const ORDER = 0;

/** Bytes of a batch from which on threads change its images. */
const LEAST_FOR_THREADS = 2 ** 18;

/**
 * Cuts a data set into batches. The order depends on the seed and the epoch
 * alone, the augmentation of an image on the seed, the epoch and the image, so
 * an epoch that is taken up in the middle goes on with the same bytes.
 *
 * While the consumer works on one batch the next one is prepared. Buffers are
 * reused: a batch is valid until the one after the next is asked for, and one
 * epoch at a time can be read from a loader.
 *
 * @example
 * ```ts
 * import { BatchLoader, shapesDataset } from "@gapcam/gapcam";
 *
 * const shapes = shapesDataset("train", { size: 16, length: 10 });
 * const loader = new BatchLoader(shapes, { batchSize: 4, shuffle: true });
 * const counts = [];
 * for await (const batch of loader.epoch(0)) counts.push(batch.count);
 * if (counts.join() !== "4,4,2") throw new Error(counts.join());
 * ```
 */
export class BatchLoader {
  /** What is cut. */
  readonly dataset: Dataset;
  /** Images a batch. */
  readonly batchSize: number;
  /** Batches an epoch. */
  readonly steps: number;
  readonly #options: BatchLoaderOptions;
  // One in use, one handed out ahead, one being filled.
  readonly #ring: { images: Uint8Array; labels: Int32Array }[];
  readonly #imageBytes: number;
  readonly #labels: Int32Array;
  // What is being prepared; the next epoch must not share its buffers.
  #pending: Promise<unknown> = Promise.resolve();

  /**
   * Prepares the buffers.
   *
   * @throws {GapcamError} If the batch is empty or larger than the data set.
   */
  constructor(dataset: Dataset, options: BatchLoaderOptions) {
    const { batchSize } = options;
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot load batches of ${batchSize} images: expected a whole number ` +
          "from 1",
      );
    }
    if (batchSize > dataset.length) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot load batches of ${batchSize} images: ${dataset.name} ` +
          `(${dataset.split}) has only ${dataset.length}; use a smaller batch`,
      );
    }
    checkAugmentation(options.augmentation ?? {});
    checkMixing(options.mixing ?? {});
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.steps = options.dropLast
      ? Math.floor(dataset.length / batchSize)
      : Math.ceil(dataset.length / batchSize);
    this.#options = options;
    const imageBytes = dataset.height * dataset.width * dataset.channels;
    const { part } = options;
    // With the image before a part, which it may be mixed with.
    const most = part ? partOf(batchSize, part).count + 1 : batchSize;
    this.#ring = Array.from({ length: 3 }, () => ({
      images: new Uint8Array(most * imageBytes),
      labels: new Int32Array(most),
    }));
    this.#imageBytes = imageBytes;
    // Those of unreadable images change on the way; orders must not.
    this.#labels = dataset.labels.slice();
  }

  /**
   * The batches of one epoch, in order.
   *
   * @param epoch Number of the epoch, from 0.
   * @param options `startStep`: the first batch wanted. Default: 0.
   * @throws {GapcamError} If `startStep` is not a step of the epoch or its
   * end, or the data set cannot be read.
   */
  async *epoch(
    epoch: number,
    options: { startStep?: number } = {},
  ): AsyncGenerator<Batch, void, void> {
    let step = options.startStep ?? 0;
    if (!Number.isSafeInteger(step) || step < 0 || step > this.steps) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot start an epoch at step ${step}: expected 0 to ${this.steps}`,
      );
    }
    await this.#pending.catch(() => {});
    const { seed = 0, shuffle, balance } = this.#options;
    const random = new Random(seed, ORDER, epoch);
    const order = balance
      ? balancedOrder(this.#labels, random)
      : plainOrder(this.dataset.length, shuffle ? random : undefined);
    if (step === this.steps) return;
    let next = this.#load(epoch, step, order);
    this.#pending = next;
    for (; step < this.steps; step++) {
      const batch = await next;
      if (step + 1 < this.steps) {
        next = this.#loadSoon(epoch, step + 1, order);
        // A failure is thrown where it is awaited; nobody awaits it if the
        // consumer leaves the loop first.
        next.catch(() => {});
        this.#pending = next;
      }
      yield batch;
    }
  }

  /** Loads once the consumer has started its own work. */
  async #loadSoon(
    epoch: number,
    step: number,
    order: EpochOrder,
  ): Promise<Batch> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    return await this.#load(epoch, step, order);
  }

  async #load(epoch: number, step: number, order: EpochOrder): Promise<Batch> {
    const { dataset, batchSize } = this;
    const buffers = this.#ring[step % this.#ring.length]!;
    const { augmentation, mixing = {}, part, seed = 0 } = this.#options;
    const start = step * batchSize;
    const whole = Math.min(batchSize, order.indices.length - start);
    const { first, count } = partOf(whole, part ?? { rank: 0, size: 1 });
    const place = { step, first, count, whole };
    // What a part's first image is mixed with is of the part before.
    const lead = mixes(mixing) && count > 0 && count < whole ? 1 : 0;
    const [indices, occurrences] = [order.indices, order.occurrences]
      .map((list) => {
        const batch = list.subarray(start, start + whole);
        const own = batch.subarray(first, first + count);
        return lead > 0 ? Uint32Array.of(batch.at(first - 1)!, ...own) : own;
      }) as [Uint32Array, Uint32Array];
    const images = buffers.images.subarray(
      0,
      indices.length * this.#imageBytes,
    );
    const labels = buffers.labels.subarray(0, indices.length);
    await dataset.read(indices, images);
    for (let i = 0; i < indices.length; i++) {
      labels[i] = dataset.labels[indices[i]!]!;
    }
    if (augmentation && augments(augmentation)) {
      const options = { augmentation, seed, epoch, indices, occurrences };
      // Threads cost more than they save where little is to be done.
      if (isLight(augmentation) || images.length < LEAST_FOR_THREADS) {
        augmentImages(images, dataset, options);
      } else await augmentOnThreads(images, dataset, options);
    }
    if (!this.#options.targets && !mixes(mixing)) {
      return { ...place, images, labels, indices };
    }
    const targets = batchTargets(dataset, indices, labels);
    if (mixes(mixing)) {
      const batch = { images, targets, shape: dataset };
      mixBatch(batch, { mixing, seed, epoch, step });
    }
    const classes = targets.length / Math.max(1, indices.length);
    return {
      ...place,
      images: images.subarray(lead * this.#imageBytes),
      labels: labels.subarray(lead),
      targets: targets.subarray(lead * classes),
      indices: indices.subarray(lead),
    };
  }
}
