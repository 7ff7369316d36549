import type { Random } from "../../random.ts";
import { inverseMatrix, transform } from "./_affine.ts";
import { brightness, contrast, hue, saturation } from "./_colour.ts";
import { drawWindow, resizedCrop, shift } from "./_crop.ts";
import { erase } from "./_erase.ts";
import { mirrorImages, mirrorUpsideDown } from "./_mirror.ts";
import { between, happens, type Pixels } from "./_pixels.ts";
import { trivialAugment } from "./_trivial_augment.ts";
import type { Augmentation } from "./augmentation.ts";

/** What one image is changed with. */
export interface AugmentOptions extends Augmentation {
  /** The image's random numbers in this epoch. */
  random: Random;
  /** As many bytes as the image has. */
  scratch: Uint8Array;
  /** Whether alternating flips mirror it in this epoch. Default: false. */
  mirrored?: boolean;
}

/**
 * Changes one image in place.
 *
 * @param data u8 [height, width, channels].
 * @param shape Its dimensions.
 * @param options What to do, and what with.
 */
export function augment(
  data: Uint8Array,
  { height, width, channels }: {
    height: number;
    width: number;
    channels: number;
  },
  options: AugmentOptions,
): void {
  const { random, scratch, resizedCrop: scale = 0, padding = "black" } =
    options;
  const image: Pixels = { data, height, width, channels };
  if (scale > 0) resizedCrop(image, drawWindow(image, random, scale));
  const most = options.randomCrop ?? 0;
  if (most > 0) {
    const down = random.integer(2 * most + 1) - most;
    const right = random.integer(2 * most + 1) - most;
    shift(image, { down, right }, { scratch, padding });
  }
  const mirrors = options.horizontalFlip === "alternating"
    ? options.mirrored
    : options.horizontalFlip && random.nextUint32() >= 2 ** 31;
  if (mirrors) mirrorImages(data, image);
  if (options.verticalFlip && happens(random, 0.5)) {
    mirrorUpsideDown(data, image);
  }
  if (options.trivialAugment) trivialAugment(image, random, scratch);
  turn(image, options);
  jitter(image, options);
  if (options.erase && happens(random, options.erase)) {
    erase(image, random, options.fill ?? [0]);
  }
}

/** Turns, moves, enlarges and slants at once, so that little is lost. */
function turn(image: Pixels, options: AugmentOptions): void {
  const { random, rotate = 0, translate = 0, zoom = 0, shear = 0 } = options;
  if (rotate === 0 && translate === 0 && zoom === 0 && shear === 0) return;
  const either = (most: number) => between(random, -most, most);
  const affine = {
    angle: either(rotate),
    right: Math.round(either(translate * image.width)),
    down: Math.round(either(translate * image.height)),
    scale: 1 + either(zoom),
    shearX: either(shear),
  };
  transform(image, inverseMatrix(affine, image), options.scratch);
}

/** In an order of chance, as torchvision's `ColorJitter`. */
function jitter(image: Pixels, options: AugmentOptions): void {
  const { random } = options;
  const factor = (most: number) =>
    between(random, Math.max(0, 1 - most), 1 + most);
  const changes = [
    [options.brightness, (most: number) => brightness(image, factor(most))],
    [options.contrast, (most: number) => contrast(image, factor(most))],
    [options.saturation, (most: number) => saturation(image, factor(most))],
    [options.hue, (most: number) => hue(image, between(random, -most, most))],
  ] as const;
  const wanted = changes.filter(([most]) => most);
  if (wanted.length === 0) return;
  for (const [most, change] of random.shuffle([...wanted])) change(most!);
}
