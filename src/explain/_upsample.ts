/** Enlarges planes by bilinear steps between their corners' pixels' centres. */
export class Upsampler {
  readonly #from: readonly [height: number, width: number];
  readonly #to: readonly [height: number, width: number];
  readonly #rows: Axis;
  readonly #columns: Axis;
  readonly #line: Float32Array;

  /** `from` and `to` are heights and widths; a corner becomes a corner. */
  constructor(
    from: readonly [height: number, width: number],
    to: readonly [height: number, width: number],
  ) {
    this.#from = from;
    this.#to = to;
    this.#rows = axis(from[0], to[0]);
    this.#columns = axis(from[1], to[1]);
    this.#line = new Float32Array(from[0] * to[1]);
  }

  /** Enlarges a plane and gives the least and greatest value. */
  run(
    plane: Float32Array,
    target: Float32Array,
  ): [least: number, greatest: number] {
    const [height, width] = this.#from;
    const [rows, columns] = this.#to;
    const line = this.#line;
    for (let y = 0; y < height; y++) {
      const start = y * width;
      for (let x = 0; x < columns; x++) {
        const lower = plane[start + this.#columns.lower[x]!]!;
        const upper = plane[start + this.#columns.upper[x]!]!;
        line[y * columns + x] = lower +
          this.#columns.fraction[x]! * (upper - lower);
      }
    }
    let [least, greatest] = [Infinity, -Infinity];
    for (let y = 0; y < rows; y++) {
      const above = this.#rows.lower[y]! * columns;
      const below = this.#rows.upper[y]! * columns;
      const fraction = this.#rows.fraction[y]!;
      for (let x = 0; x < columns; x++) {
        const value = line[above + x]! +
          fraction * (line[below + x]! - line[above + x]!);
        target[y * columns + x] = value;
        if (value < least) least = value;
        if (value > greatest) greatest = value;
      }
    }
    return [least, greatest];
  }
}

interface Axis {
  lower: Int32Array;
  upper: Int32Array;
  fraction: Float32Array;
}

function axis(from: number, to: number): Axis {
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
