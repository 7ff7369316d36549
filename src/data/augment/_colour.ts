import type { Pixels } from "./_pixels.ts";

/** Blends with black: 0 is black, 1 the image (Pillow's `Brightness`). */
export function brightness(image: Pixels, factor: number): void {
  blendWithLevel(image, 0, factor);
}

/** Blends with its mean grey: 0 is that, 1 the image (Pillow's `Contrast`). */
export function contrast(image: Pixels, factor: number): void {
  let sum = 0;
  const grey = greyOf(image);
  for (const level of grey) sum += level;
  const mean = Math.floor(sum / Math.max(1, grey.length) + 0.5);
  blendWithLevel(image, mean, factor);
}

/** Blends with its own grey: 0 is that, 1 the image (Pillow's `Color`). */
export function saturation(image: Pixels, factor: number): void {
  const { data, channels } = image;
  if (channels !== 3) return;
  const grey = greyOf(image);
  // Of each difference of two levels.
  const alpha = Math.fround(factor);
  const parts = new Float32Array(511);
  for (let i = 0; i < parts.length; i++) parts[i] = alpha * (i - 255);
  for (let i = 0, pixel = 0; i < data.length; i += 3, pixel++) {
    const first = grey[pixel]!, zero = 255 - first;
    data[i] = clip(Math.fround(first + parts[zero + data[i]!]!));
    data[i + 1] = clip(Math.fround(first + parts[zero + data[i + 1]!]!));
    data[i + 2] = clip(Math.fround(first + parts[zero + data[i + 2]!]!));
  }
}

/**
 * Turns colours around the circle (torchvision's `adjust_hue` of a Pillow
 * image).
 *
 * @param by Part of the circle, from -0.5 to 0.5.
 */
export function hue({ data, channels }: Pixels, by: number): void {
  if (channels !== 3) return;
  const { ratios, saturations, shares, sides, parts } = hueTables ??=
    makeHueTables();
  const turn = Math.trunc(by * 255) & 255;
  for (let i = 0; i < data.length; i += 3) {
    const r = data[i]!, g = data[i + 1]!, b = data[i + 2]!;
    const most = r > g ? (r > b ? r : b) : g > b ? g : b;
    const least = r < g ? (r < b ? r : b) : g < b ? g : b;
    // Grey stays grey.
    if (most === least) continue;
    const row = (most - least) << 8;
    const red = ratios[row | (most - r)]!;
    const green = ratios[row | (most - g)]!;
    const blue = ratios[row | (most - b)]!;
    const h = r === most
      ? blue - green
      : g === most
      ? 2 + red - blue
      : 4 + green - red;
    // From 0.8 to 1.9: a remainder would take most of the time.
    const around = Math.fround(h) / 6 + 1;
    const within = Math.fround(around >= 1 ? around - 1 : around);
    const angle = (Math.trunc(within * 255) + turn) & 255;
    const s = saturations[row | most]!;
    const fs = shares[s]!, f = parts[angle]!, side = sides[angle]!;
    const p = (most * (1 - fs) + 0.5) | 0;
    const other = (most * (1 - fs * (side & 1 ? f : 1 - f)) + 0.5) | 0;
    data[i] = side === 0 || side === 5
      ? most
      : side === 2 || side === 3
      ? p
      : other;
    data[i + 1] = side === 1 || side === 2
      ? most
      : side === 4 || side === 5
      ? p
      : other;
    data[i + 2] = side === 3 || side === 4
      ? most
      : side === 0 || side === 1
      ? p
      : other;
  }
}

/** What {@linkcode hue} divides, in single precision, of each pair of levels. */
interface HueTables {
  /** Of a range and a level's distance from its upper end, `[range, distance]`. */
  ratios: Float32Array;
  /** Of a range and its upper end, `[range, most]`. */
  saturations: Uint8Array;
  /** Of a saturation, from 0 to 1. */
  shares: Float32Array;
  /** Which sixth of the circle an angle is in. */
  sides: Uint8Array;
  /** How far in its sixth an angle is, from 0 to 1. */
  parts: Float32Array;
}

let hueTables: HueTables | undefined;

function makeHueTables(): HueTables {
  const levels = Array.from({ length: 256 }, (_, level) => level);
  const pairs = levels.flatMap((range) =>
    levels.map((level) => [range, level])
  );
  return {
    ratios: Float32Array.from(pairs, ([range, distance]) => distance! / range!),
    saturations: Uint8Array.from(
      pairs,
      ([range, most]) => clip(Math.trunc(Math.fround(range! / most!) * 255)),
    ),
    shares: Float32Array.from(levels, (level) => level / 255),
    sides: Uint8Array.from(levels, (angle) => Math.floor(angle * 6 / 255) % 6),
    parts: Float32Array.from(
      levels,
      (angle) => angle * 6 / 255 - Math.floor(angle * 6 / 255),
    ),
  };
}

/** ITU-R 601-2 luma, as Pillow's `convert("L")`. */
export function greyOf({ data, channels }: Pixels): Uint8Array {
  if (channels !== 3) return data.slice();
  const grey = new Uint8Array(data.length / 3);
  for (let i = 0; i < grey.length; i++) {
    grey[i] = (data[3 * i]! * 19595 + data[3 * i + 1]! * 38470 +
      data[3 * i + 2]! * 7471 + 0x8000) >> 16;
  }
  return grey;
}

/** Blends each number with a level, of which there are only 256 results. */
function blendWithLevel({ data }: Pixels, level: number, factor: number): void {
  const results = new Uint8Array(256);
  for (let other = 0; other < results.length; other++) {
    results[other] = blend(level, other, factor);
  }
  for (let i = 0; i < data.length; i++) data[i] = results[data[i]!]!;
}

/** Pillow's `Image.blend` of one level: single precision, cut off, not rounded. */
export function blend(first: number, second: number, share: number): number {
  const alpha = Math.fround(share);
  return clip(Math.fround(first + Math.fround(alpha * (second - first))));
}

function clip(level: number): number {
  return level <= 0 ? 0 : level >= 255 ? 255 : Math.trunc(level);
}
