/** How an axis is enlarged by linear steps between the centres of its end pixels. */
export interface Interpolation {
  /** For each pixel, the one before it or at it, of those that there were. */
  readonly lower: Int32Array;
  /** And the one behind. */
  readonly upper: Int32Array;
  /** How far it is from the one to the other, in [0, 1]. */
  readonly fraction: Float32Array;
}

/** From so many pixels to so many; an end stays an end. */
export function interpolation(from: number, to: number): Interpolation {
  const lower = new Int32Array(to);
  const upper = new Int32Array(to);
  const fraction = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const at = to === 1 ? 0 : i * (from - 1) / (to - 1);
    lower[i] = Math.min(Math.floor(at), from - 1);
    upper[i] = Math.min(lower[i]! + 1, from - 1);
    fraction[i] = at - lower[i]!;
  }
  return { lower, upper, fraction };
}

/**
 * Writes it as a matrix, [to, size], for a line of `size` pixels of which the first
 * `from` are in use; or that transposed, [size, to].
 */
export function interpolationMatrix(
  { lower, upper, fraction }: Interpolation,
  { size, transposed }: { size: number; transposed: boolean },
): Float32Array {
  const to = lower.length;
  const matrix = new Float32Array(to * size);
  const add = (i: number, j: number, value: number) => {
    matrix[transposed ? j * to + i : i * size + j]! += value;
  };
  for (let i = 0; i < to; i++) {
    add(i, lower[i]!, 1 - fraction[i]!);
    add(i, upper[i]!, fraction[i]!);
  }
  return matrix;
}

/**
 * The least and the greatest value that a plane has when it is enlarged. Between
 * four pixels it is bilinear, and greatest where that begins or ends.
 */
export function enlargedRange(
  plane: Float32Array,
  rows: Interpolation,
  { columns, width }: { columns: Interpolation; width: number },
): [least: number, greatest: number] {
  let [least, greatest] = [Infinity, -Infinity];
  const across = endsOf(columns);
  for (const y of endsOf(rows)) {
    const above = rows.lower[y]! * width;
    const below = rows.upper[y]! * width;
    for (const x of across) {
      const [left, right] = [columns.lower[x]!, columns.upper[x]!];
      const share = columns.fraction[x]!;
      const upper = plane[above + left]! +
        share * (plane[above + right]! - plane[above + left]!);
      const lower = plane[below + left]! +
        share * (plane[below + right]! - plane[below + left]!);
      const value = upper + rows.fraction[y]! * (lower - upper);
      if (value < least) least = value;
      if (value > greatest) greatest = value;
    }
  }
  return [least, greatest];
}

/** The first and the last pixel between two of those that there were. */
function endsOf({ lower }: Interpolation): number[] {
  return Array.from(lower.keys()).filter((i) =>
    i === 0 || i === lower.length - 1 || lower[i] !== lower[i - 1] ||
    lower[i] !== lower[i + 1]
  );
}
