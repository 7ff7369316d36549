import type { Pixels } from "./_pixels.ts";

/** How an image is turned, moved, made larger and slanted, about its middle. */
export interface Affine {
  /** Degrees, clockwise. Default: 0. */
  angle?: number;
  /** Pixels to the right. Default: 0. */
  right?: number;
  /** Pixels down. Default: 0. */
  down?: number;
  /** How many times as large. Default: 1. */
  scale?: number;
  /** Degrees by which columns slant. Default: 0. */
  shearX?: number;
  /** Degrees by which rows slant. Default: 0. */
  shearY?: number;
}

/**
 * Where each pixel of the result comes from: torchvision's
 * `_get_inverse_affine_matrix`, as Pillow's `Image.transform(..., AFFINE)` takes
 * it.
 */
export function inverseMatrix(
  affine: Affine,
  { height, width }: { height: number; width: number },
): number[] {
  const radians = (degrees = 0) => degrees * Math.PI / 180;
  const rotation = radians(affine.angle);
  const sx = radians(affine.shearX), sy = radians(affine.shearY);
  const { scale = 1, right = 0, down = 0 } = affine;
  const a = Math.cos(rotation - sy) / Math.cos(sy);
  const b = -Math.cos(rotation - sy) * Math.tan(sx) / Math.cos(sy) -
    Math.sin(rotation);
  const c = Math.sin(rotation - sy) / Math.cos(sy);
  const d = -Math.sin(rotation - sy) * Math.tan(sx) / Math.cos(sy) +
    Math.cos(rotation);
  const matrix = [d, -b, 0, -c, a, 0].map((value) => value / scale);
  const x = width / 2, y = height / 2;
  matrix[2]! += x + matrix[0]! * (-x - right) + matrix[1]! * (-y - down);
  matrix[5]! += y + matrix[3]! * (-x - right) + matrix[4]! * (-y - down);
  return matrix;
}

/**
 * Transforms an image as `Image.transform(size, AFFINE, matrix, BILINEAR)` of
 * Pillow: what comes from outside is black.
 *
 * @param matrix Column and row of the source for each column and row.
 */
export function transform(
  { data, height, width, channels }: Pixels,
  matrix: readonly number[],
  scratch: Uint8Array,
): void {
  const [a, b, c, d, e, f] = matrix as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  scratch.set(data);
  const row = width * channels;
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += channels) {
      const sourceX = a * (x + 0.5) + b * (y + 0.5) + c;
      const sourceY = d * (x + 0.5) + e * (y + 0.5) + f;
      if (
        !(sourceX >= 0 && sourceX < width && sourceY >= 0 && sourceY < height)
      ) {
        for (let channel = 0; channel < channels; channel++) {
          data[to + channel] = 0;
        }
        continue;
      }
      const left = Math.floor(sourceX - 0.5), top = Math.floor(sourceY - 0.5);
      const dx = sourceX - 0.5 - left, dy = sourceY - 0.5 - top;
      const from = Math.max(0, left) * channels;
      const next = Math.min(width - 1, left + 1) * channels;
      const above = Math.max(0, top) * row;
      const below = Math.min(height - 1, top + 1) * row;
      for (let channel = 0; channel < channels; channel++) {
        const upper = scratch[above + from + channel]!;
        const lower = scratch[below + from + channel]!;
        const first = upper + (scratch[above + next + channel]! - upper) * dx;
        const second = lower + (scratch[below + next + channel]! - lower) * dx;
        // Pillow cuts off, it does not round; an array of bytes does as well.
        data[to + channel] = first + (second - first) * dy;
      }
    }
  }
}
