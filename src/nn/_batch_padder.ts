import { GapcamError } from "../error.ts";

/** Brings batches to the size that a program was compiled for. */
export class BatchPadder {
  readonly #size: number;
  readonly #imageBytes: number;
  #images: Uint8Array | undefined;

  /** `shape` is [N, H, W, C] of a full batch. */
  constructor(shape: readonly number[]) {
    const [size, height, width, channels] = shape;
    this.#size = size!;
    this.#imageBytes = height! * width! * channels!;
  }

  /** How many images there are, from 1 to the batch size. */
  count(images: Uint8Array): number {
    const count = images.length / this.#imageBytes;
    if (Number.isInteger(count) && count >= 1 && count <= this.#size) {
      return count;
    }
    throw new GapcamError(
      "shape-mismatch",
      `Cannot run a batch of ${images.length} bytes: expected 1 to ` +
        `${this.#size} images of ${this.#imageBytes} bytes`,
    );
  }

  /**
   * A full batch of images. Those given are repeated rather than followed by
   * black ones, which would skew the statistics of batch normalisation.
   */
  images(images: Uint8Array): Uint8Array {
    if (images.length === this.#size * this.#imageBytes) return images;
    this.#images ??= new Uint8Array(this.#size * this.#imageBytes);
    for (let at = 0; at < this.#images.length; at += images.length) {
      const room = this.#images.length - at;
      this.#images.set(
        images.length <= room ? images : images.subarray(0, room),
        at,
      );
    }
    return this.#images;
  }

  /** A full batch of labels: -1, which the loss ignores, follows those given. */
  labels(labels: Int32Array, count: number): Int32Array {
    if (labels.length !== count) {
      throw new GapcamError(
        "shape-mismatch",
        `Cannot run a batch of ${count} images with ${labels.length} labels: ` +
          "expected one for each image",
      );
    }
    if (count === this.#size) return labels;
    const padded = new Int32Array(this.#size).fill(-1);
    padded.set(labels);
    return padded;
  }
}

/** Throws unless a batch size is a positive whole number. */
export function assertBatchSize(batchSize: number): void {
  if (Number.isSafeInteger(batchSize) && batchSize >= 1) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot compile a program for batches of ${batchSize} images: ` +
      "expected a whole number from 1",
  );
}
