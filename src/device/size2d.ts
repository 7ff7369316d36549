/** One or two sizes: `3`, or `[height, width]`. */
export type Size2d = number | readonly [number, number];
