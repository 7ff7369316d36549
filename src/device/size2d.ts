/** One or two sizes: `3`, or `[height, width]`. */
export type Size2d = number | readonly [number, number];

/** Padding: a {@linkcode Size2d} for both sides alike, or `[top, left, bottom, right]`. */
export type Padding2d = Size2d | readonly [number, number, number, number];
