import type { Random } from "../../random.ts";
import { type Affine, inverseMatrix, transform } from "./_affine.ts";
import { brightness, contrast, saturation } from "./_colour.ts";
import type { Pixels } from "./_pixels.ts";
import {
  autocontrast,
  equalize,
  posterize,
  sharpness,
  solarize,
} from "./_tone.ts";

/** Strengths of each change, as in the paper. */
const BINS = 31;

/** One change of {@linkcode trivialAugment}, from 0 to 1 strong, either way. */
type Change = (
  image: Pixels,
  strength: number,
  scratch: Uint8Array,
  sign: 1 | -1,
) => void;

/** Slants are given as the tangent, as in the paper. */
const degrees = (tangent: number) => Math.atan(tangent) * 180 / Math.PI;

function moved(affineOf: (amount: number) => Affine): Change {
  return (image, strength, scratch, sign) =>
    transform(image, inverseMatrix(affineOf(sign * strength), image), scratch);
}

/** The wide space of changes, in the order of torchvision. */
const CHANGES: readonly Change[] = [
  () => {},
  moved((amount) => ({ shearX: degrees(0.99 * amount) })),
  moved((amount) => ({ shearY: degrees(0.99 * amount) })),
  moved((amount) => ({ right: Math.trunc(32 * amount) })),
  moved((amount) => ({ down: Math.trunc(32 * amount) })),
  moved((amount) => ({ angle: 135 * amount })),
  (image, strength, _, sign) => brightness(image, 1 + 0.99 * sign * strength),
  (image, strength, _, sign) => saturation(image, 1 + 0.99 * sign * strength),
  (image, strength, _, sign) => contrast(image, 1 + 0.99 * sign * strength),
  (image, strength, scratch, sign) =>
    sharpness(image, 1 + 0.99 * sign * strength, scratch),
  (image, strength) => posterize(image, 8 - Math.round(6 * strength)),
  (image, strength) => solarize(image, 255 * (1 - strength)),
  autocontrast,
  equalize,
];

/**
 * One change of fourteen, as strong as chance will have it: TrivialAugment
 * (Müller & Hutter 2021), the wide space of torchvision's `TrivialAugmentWide`,
 * but turned and moved by bilinear interpolation and slanted about the middle.
 */
export function trivialAugment(
  image: Pixels,
  random: Random,
  scratch: Uint8Array,
): void {
  const change = CHANGES[random.integer(CHANGES.length)]!;
  const strength = random.integer(BINS) / (BINS - 1);
  change(image, strength, scratch, random.integer(2) === 0 ? 1 : -1);
}
