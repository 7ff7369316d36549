import { blend } from "./_colour.ts";
import type { Pixels } from "./_pixels.ts";

/** Keeps so many upper bits of each level (Pillow's `ImageOps.posterize`). */
export function posterize({ data }: Pixels, bits: number): void {
  const mask = 256 - 2 ** (8 - bits);
  for (let i = 0; i < data.length; i++) data[i]! &= mask;
}

/** Turns levels from a threshold on into their negative (`ImageOps.solarize`). */
export function solarize({ data }: Pixels, threshold: number): void {
  for (let i = 0; i < data.length; i++) {
    if (data[i]! >= threshold) data[i] = 255 - data[i]!;
  }
}

/** Stretches each channel to all levels (`ImageOps.autocontrast`). */
export function autocontrast(image: Pixels): void {
  const { data, channels } = image;
  for (let channel = 0; channel < channels; channel++) {
    let least = 255, most = 0;
    for (let i = channel; i < data.length; i += channels) {
      least = Math.min(least, data[i]!);
      most = Math.max(most, data[i]!);
    }
    if (most <= least) continue;
    const scale = 255 / (most - least);
    const offset = -least * scale;
    mapChannel(image, channel, (level) => Math.trunc(level * scale + offset));
  }
}

/** Makes levels of each channel about as frequent (`ImageOps.equalize`). */
export function equalize(image: Pixels): void {
  const { data, channels } = image;
  for (let channel = 0; channel < channels; channel++) {
    const counts = new Uint32Array(256);
    for (let i = channel; i < data.length; i += channels) counts[data[i]!]!++;
    const used = counts.filter((count) => count > 0);
    const pixels = data.length / channels;
    const step = Math.floor((pixels - used[used.length - 1]!) / 255);
    if (used.length <= 1 || step === 0) continue;
    let sum = Math.floor(step / 2);
    const table = Array.from(counts, (count) => {
      const level = Math.floor(sum / step);
      sum += count;
      return level;
    });
    mapChannel(image, channel, (level) => table[level]!);
  }
}

/**
 * Blends with a smoother image: 0 is that, 1 the image, 2 sharper (Pillow's
 * `Sharpness`). Pixels at the edge stay.
 */
export function sharpness(
  { data, height, width, channels }: Pixels,
  factor: number,
  scratch: Uint8Array,
): void {
  scratch.set(data);
  const row = width * channels;
  // Pillow's SMOOTH: single precision, row by row from the lowest.
  const side = Math.fround(1 / 13), middle = Math.fround(5 / 13);
  for (let y = 1; y < height - 1; y++) {
    for (let x = channels; x < row - channels; x++) {
      const at = y * row + x;
      let sum = Math.fround(0.5);
      for (const line of [at + row, at, at - row]) {
        const weight = line === at ? middle : side;
        const part = Math.fround(
          Math.fround(
            Math.fround(scratch[line - channels]! * side) +
              Math.fround(scratch[line]! * weight),
          ) + Math.fround(scratch[line + channels]! * side),
        );
        sum = Math.fround(sum + part);
      }
      data[at] = blend(Math.min(255, Math.trunc(sum)), scratch[at]!, factor);
    }
  }
}

function mapChannel(
  { data, channels }: Pixels,
  channel: number,
  level: (level: number) => number,
): void {
  const table = new Uint8ClampedArray(256);
  for (let i = 0; i < table.length; i++) table[i] = level(i);
  for (let i = channel; i < data.length; i += channels) {
    data[i] = table[data[i]!]!;
  }
}
