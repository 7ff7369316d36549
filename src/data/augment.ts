import type { Random } from "../random.ts";

/** Random changes to training images; see {@linkcode BatchLoader}. */
export interface Augmentation {
  /** Mirror each image left to right with probability one half. Default: false. */
  horizontalFlip?: boolean;
  /**
   * Pad each image with this many black pixels on every side and cut out a
   * random window of the old size, as torchvision's `RandomCrop`. Default: 0.
   */
  randomCrop?: number;
}

/**
 * Changes one image in place.
 *
 * @param image u8 [height, width, channels].
 * @param shape Its dimensions.
 * @param options What to do, the random numbers, and `scratch`, as many bytes
 * as the image has.
 */
export function augment(
  image: Uint8Array,
  shape: { height: number; width: number; channels: number },
  options: Augmentation & { random: Random; scratch: Uint8Array },
): void {
  const { random, scratch } = options;
  const { height, width, channels } = shape;
  const padding = options.randomCrop ?? 0;
  if (padding > 0) {
    const down = random.integer(2 * padding + 1) - padding;
    const right = random.integer(2 * padding + 1) - padding;
    scratch.set(image);
    image.fill(0);
    const columns = width - Math.abs(right);
    const from = Math.max(0, right), to = Math.max(0, -right);
    for (let row = 0; row < height && columns > 0; row++) {
      const source = row + down;
      if (source < 0 || source >= height) continue;
      const start = (source * width + from) * channels;
      image.set(
        scratch.subarray(start, start + columns * channels),
        (row * width + to) * channels,
      );
    }
  }
  if (options.horizontalFlip && random.nextUint32() >= 2 ** 31) {
    mirrorImages(image, shape);
  }
}

/** Mirrors images left to right, in place; u8 [..., width, channels]. */
export function mirrorImages(
  images: Uint8Array,
  { width, channels }: { width: number; channels: number },
): void {
  const row = width * channels;
  for (let start = 0; start < images.length; start += row) {
    mirror(images, start, width, channels);
  }
}

function mirror(
  image: Uint8Array,
  start: number,
  width: number,
  channels: number,
): void {
  let left = start, right = start + (width - 1) * channels;
  for (; left < right; left += channels, right -= channels) {
    for (let channel = 0; channel < channels; channel++) {
      const kept = image[left + channel]!;
      image[left + channel] = image[right + channel]!;
      image[right + channel] = kept;
    }
  }
}
