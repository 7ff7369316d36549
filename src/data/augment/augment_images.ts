import { Random } from "../../random.ts";
import { augment } from "./augment.ts";
import type { Augmentation } from "./augmentation.ts";

/** Domains of random numbers; 0 is the order of images, 2 validation's. */
const AUGMENTATION = 1, FIRST_FLIP = 3;

/** What decides what becomes of images, beside the images themselves. Plain data. */
export interface AugmentImagesOptions {
  /** What may happen to them. */
  augmentation: Augmentation;
  /** The run's seed. */
  seed: number;
  /** Number of the epoch, from 0. */
  epoch: number;
  /** Their numbers in the data set. */
  indices: ArrayLike<number>;
  /** How often each was shown before in this epoch. Default: never. */
  occurrences?: ArrayLike<number>;
}

/**
 * Changes images in place, each as its seed, epoch and number say.
 *
 * @param images u8 [count, height, width, channels].
 * @param shape Dimensions of each.
 * @param options What to do, and what decides it.
 */
export function augmentImages(
  images: Uint8Array,
  shape: { height: number; width: number; channels: number },
  options: AugmentImagesOptions,
): void {
  const { augmentation, seed, epoch, indices, occurrences } = options;
  const size = shape.height * shape.width * shape.channels;
  const scratch = new Uint8Array(size);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    const again = occurrences?.[i] ?? 0;
    augment(images.subarray(i * size, (i + 1) * size), shape, {
      ...augmentation,
      random: new Random(
        seed,
        AUGMENTATION,
        epoch,
        index,
        ...(again === 0 ? [] : [again]),
      ),
      mirrored: isMirrored(seed, epoch + again, index),
      scratch,
    });
  }
}

/** Alternating flips: by chance in the first epoch, then each second time. */
export function isMirrored(
  seed: number,
  epoch: number,
  index: number,
): boolean {
  const first = new Random(seed, FIRST_FLIP, index).nextUint32() >>> 31;
  return (first + epoch) % 2 === 1;
}
