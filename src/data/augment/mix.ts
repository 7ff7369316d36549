import { printableValue } from "../../_printable.ts";
import { GapcamError } from "../../error.ts";
import { Random } from "../../random.ts";

/** Domain of random numbers; 0 to 3 are the order's, the images' and validation's. */
const MIXING = 4;

/**
 * Pairs of images of a batch that become one. Both numbers are the parameter of
 * a beta distribution, as in torchvision: 0 for not at all, 1 for any share as
 * likely as another. Where both are given chance takes one of them for each
 * batch.
 */
export interface Mixing {
  /** Images are averaged (Zhang et al. 2018). Default: 0. */
  mixup?: number;
  /** A rectangle of one is put into the other (Yun et al. 2019). Default: 0. */
  cutmix?: number;
}

/** A batch as it is mixed. */
export interface MixedBatch {
  /** u8 [count, height, width, channels], changed in place. */
  images: Uint8Array;
  /** f32 [count, classes], changed in place; a row that begins with -1 stays. */
  targets: Float32Array;
  /** Dimensions of an image. */
  shape: { height: number; width: number; channels: number };
}

/** Where a rectangle is, in pixels: from the first to before the end. */
export interface Box {
  /** Its first row. */
  top: number;
  /** The row after its last. */
  bottom: number;
  /** Its first column. */
  left: number;
  /** The column after its last. */
  right: number;
}

/** Greatest parameter: more is all but a half of each image. */
const MOST = 100;

/** Whether it changes anything. */
export function mixes({ mixup = 0, cutmix = 0 }: Mixing): boolean {
  return mixup > 0 || cutmix > 0;
}

/**
 * Refuses parameters that are none.
 *
 * @throws {GapcamError} If one is not a number from 0 to 100.
 */
export function checkMixing(mixing: Mixing): void {
  for (const name of ["mixup", "cutmix"] as const) {
    const value: unknown = mixing[name] ?? 0;
    if (typeof value === "number" && value >= 0 && value <= MOST) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot train with ${name} ${printableValue(value)}: expected a number ` +
        `from 0 to ${MOST}`,
    );
  }
}

/**
 * Mixes each image of a batch with the one before it, as the seed, the epoch and
 * the batch's number say.
 *
 * @param batch What is changed in place.
 * @param options Which mixing, and what decides.
 */
export function mixBatch(
  batch: MixedBatch,
  options: { mixing: Mixing; seed: number; epoch: number; step: number },
): void {
  const { mixup = 0, cutmix = 0 } = options.mixing;
  const random = new Random(
    options.seed,
    MIXING,
    options.epoch,
    options.step,
  );
  const averages = mixup > 0 && (cutmix === 0 || random.nextUint32() < 2 ** 31);
  if (averages) mixImages(batch, beta(random, mixup));
  else cutImages(batch, boxOf(batch.shape, beta(random, cutmix), random));
}

/** Averages each image with the one before it, of which 1 - `share` is taken. */
export function mixImages(batch: MixedBatch, share: number): void {
  mixRows(batch, share, (own, other) => {
    for (let i = 0; i < own.length; i++) {
      own[i] = share * own[i]! + (1 - share) * other[i]! + 0.5;
    }
  });
}

/** Puts a rectangle of the image before each into it. */
export function cutImages(batch: MixedBatch, box: Box): void {
  const { height, width, channels } = batch.shape;
  const { top, bottom, left, right } = box;
  const share = 1 - (bottom - top) * (right - left) / (height * width);
  mixRows(batch, share, (own, other) => {
    for (let row = top; row < bottom; row++) {
      const start = (row * width + left) * channels;
      const end = (row * width + right) * channels;
      own.set(other.subarray(start, end), start);
    }
  });
}

/** Changes each image by the one before it, the first by the last. */
function mixRows(
  { images, targets, shape }: MixedBatch,
  share: number,
  change: (own: Uint8Array, other: Uint8Array) => void,
): void {
  const size = shape.height * shape.width * shape.channels;
  const count = images.length / size, classes = targets.length / count;
  const image = (i: number) => images.subarray(i * size, (i + 1) * size);
  const row = (i: number) => targets.subarray(i * classes, (i + 1) * classes);
  const last = { image: image(count - 1).slice(), row: row(count - 1).slice() };
  // Backwards, so that the one before is still as it was.
  for (let i = count - 1; i >= 0; i--) {
    const other = i > 0 ? { image: image(i - 1), row: row(i - 1) } : last;
    const own = row(i);
    // An image that could not be read is mixed with none.
    if (own[0] === -1 || other.row[0] === -1) continue;
    change(image(i), other.image);
    for (let c = 0; c < classes; c++) {
      own[c] = share * own[c]! + (1 - share) * other.row[c]!;
    }
  }
}

/** As torchvision's `CutMix`: about a centre of chance, cut off at the edges. */
function boxOf(
  { height, width }: { height: number; width: number },
  share: number,
  random: Random,
): Box {
  const across = random.integer(width), down = random.integer(height);
  const half = 0.5 * Math.sqrt(1 - share);
  const [high, wide] = [Math.trunc(half * height), Math.trunc(half * width)];
  return {
    top: Math.max(0, down - high),
    bottom: Math.min(height, down + high),
    left: Math.max(0, across - wide),
    right: Math.min(width, across + wide),
  };
}

/** A number of the beta distribution with both parameters `alpha`. */
export function beta(random: Random, alpha: number): number {
  const [first, second] = [gamma(random, alpha), gamma(random, alpha)];
  // Of a small alpha both may be too small for a number.
  if (first + second === 0) return random.nextUint32() < 2 ** 31 ? 0 : 1;
  return first / (first + second);
}

/** Of the gamma distribution (Marsaglia and Tsang 2000). */
function gamma(random: Random, alpha: number): number {
  if (alpha < 1) {
    return gamma(random, alpha + 1) *
      (1 - random.uniform()) ** (1 / alpha);
  }
  const d = alpha - 1 / 3, c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    const u = 1 - random.uniform();
    if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
  return radius * Math.cos(2 * Math.PI * random.uniform());
}
