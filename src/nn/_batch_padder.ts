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

  /** Bytes of an image. */
  get imageBytes(): number {
    return this.#imageBytes;
  }

  /** How many images there are, from 1 to as many as `batches` hold. */
  count(images: Uint8Array, batches = 1): number {
    const count = images.length / this.#imageBytes, most = batches * this.#size;
    if (Number.isInteger(count) && count >= 1 && count <= most) return count;
    throw new GapcamError(
      "shape-mismatch",
      `Cannot run a batch of ${images.length} bytes: expected 1 to ` +
        `${most} images of ${this.#imageBytes} bytes`,
    );
  }

  /**
   * A full batch of images. Those given are repeated rather than followed by
   * black ones, which would skew the statistics of batch normalisation.
   */
  images(images: Uint8Array): Uint8Array {
    if (images.length === this.#size * this.#imageBytes) return images;
    this.#images ??= new Uint8Array(this.#size * this.#imageBytes);
    if (images.length === 0) return this.#images.fill(0);
    for (let at = 0; at < this.#images.length; at += images.length) {
      const room = this.#images.length - at;
      this.#images.set(
        images.length <= room ? images : images.subarray(0, room),
        at,
      );
    }
    return this.#images;
  }

  /**
   * A full batch of labels, or of targets for each of `classes`: -1, which the
   * loss ignores, follows those given.
   */
  labels<Labels extends Int32Array | Float32Array>(
    labels: Labels,
    classes = 1,
  ): Labels {
    const length = this.#size * classes;
    if (labels.length === length) return labels;
    const padded = labels instanceof Int32Array
      ? new Int32Array(length)
      : new Float32Array(length);
    padded.fill(-1).set(labels);
    return padded as Labels;
  }
}

/**
 * How many batches of `size` images one of `count` is cut into, and where; at
 * least so many, then empty ones.
 */
export function* partsOf(
  count: number,
  size: number,
  least = 0,
): Iterable<{ start: number; end: number }> {
  const parts = Math.max(least, Math.ceil(count / size));
  for (let part = 0; part < parts; part++) {
    const [start, end] = [part, part + 1].map((at) =>
      Math.min(count, at * size)
    ) as [number, number];
    yield { start, end };
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
