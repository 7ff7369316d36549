/**
 * What a case of an operation is, and what plain loops in f64 are held in. Each
 * operation has a file with both: slow and obvious on purpose.
 *
 * @module
 */

import type { Program } from "../../src/device/program.ts";
import type { Tensor } from "../../src/device/tensor.ts";

/** A tensor in row-major order. */
export interface Array64 {
  shape: readonly number[];
  data: Float64Array;
}

/** What an operation gives, and the gradients of its inputs from that of its output. */
export interface Computed<Names extends string> {
  output: Array64;
  backward: (dOutput: Float64Array) => Record<Names, Float64Array>;
}

export interface Windows {
  stride: number;
  padding: number;
}

export function array64(
  shape: readonly number[],
  data?: ArrayLike<number>,
): Array64 {
  const length = shape.reduce((product, size) => product * size, 1);
  return { shape, data: Float64Array.from(data ?? { length }, (x) => x ?? 0) };
}

/** Of rank 4, or with ones behind. */
export function dimensions(array: Array64): [number, number, number, number] {
  const [n = 1, c = 1, h = 1, w = 1] = array.shape;
  return [n, c, h, w];
}

export interface Case {
  name: string;
  /** Shapes of the f32 tensors that go in, each a target of backward. */
  inputs: Record<string, readonly number[]>;
  /** Whether it has no gradient. */
  forwardOnly?: boolean;
  /** Whether values are rounded to halves, so that maxima tie. */
  ties?: boolean;
  record: (program: Program, tensors: Record<string, Tensor>) => Tensor;
  compute: (arrays: Record<string, Array64>) => {
    output: Array64;
    backward: (dOutput: Float64Array) => Record<string, Float64Array>;
  };
}

/** Shapes off and on the blocks of 8 and 16 channels, down to one pixel. */
export const SHAPES = [
  [1, 1, 1, 1],
  [7, 3, 5, 7],
  [1, 17, 12, 12],
  [2, 16, 33, 31],
] as const;
