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
  const parts = Float32Array.from({ length: 511 }, (_, i) => alpha * (i - 255));
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
  const turn = Math.trunc(by * 255) & 255;
  for (let i = 0; i < data.length; i += 3) {
    const r = data[i]!, g = data[i + 1]!, b = data[i + 2]!;
    const most = Math.max(r, g, b), least = Math.min(r, g, b);
    // Grey stays grey.
    if (most === least) continue;
    const range = Math.fround(most - least);
    const red = Math.fround((most - r) / range);
    const green = Math.fround((most - g) / range);
    const blue = Math.fround((most - b) / range);
    let h = r === most
      ? blue - green
      : g === most
      ? 2 + red - blue
      : 4 + green - red;
    h = Math.fround(h);
    h = Math.fround((h / 6 + 1) % 1);
    const angle = (clip(Math.trunc(h * 255)) + turn) & 255;
    const s = clip(Math.trunc(Math.fround(range / most) * 255));
    if (s === 0) {
      data[i] = data[i + 1] = data[i + 2] = most;
      continue;
    }
    const sixth = Math.floor(angle * 6 / 255);
    const f = Math.fround(angle * 6 / 255 - sixth);
    const fs = Math.fround(s / 255);
    const p = clip(Math.round(most * (1 - fs)));
    const q = clip(Math.round(most * (1 - fs * f)));
    const t = clip(Math.round(most * (1 - fs * (1 - f))));
    const side = sixth % 6;
    data[i] = side === 0 || side === 5
      ? most
      : side === 1
      ? q
      : side === 4
      ? t
      : p;
    data[i + 1] = side === 1 || side === 2
      ? most
      : side === 0
      ? t
      : side === 3
      ? q
      : p;
    data[i + 2] = side === 3 || side === 4
      ? most
      : side === 2
      ? t
      : side === 5
      ? q
      : p;
  }
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
  const results = Uint8Array.from(
    { length: 256 },
    (_, other) => blend(level, other, factor),
  );
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
