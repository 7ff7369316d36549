import type { StateDict } from "../host_tensor.ts";

/** Bins of a tensor's histogram. */
const BINS = 30;

/** How the values of a tensor are distributed. Plain data, for JSON too. */
export interface TensorHistogram {
  /** The least finite value; 0 where there is none. */
  least: number;
  /** The greatest finite value; 0 where there is none. */
  greatest: number;
  /** Sum of the finite values. */
  sum: number;
  /** Sum of their squares. */
  sumOfSquares: number;
  /** Values that are infinite or none. */
  notFinite: number;
  /**
   * How many values lie in each bin; bins are equally wide, from `least` to
   * `greatest`. One bin where all values are the same, none without values.
   */
  counts: number[];
}

/**
 * Counts how the values of a tensor are distributed.
 *
 * @param values Any.
 *
 * @example
 * ```ts
 * import { tensorHistogram } from "./tensor_histogram.ts";
 *
 * const { least, greatest, counts } = tensorHistogram(Float32Array.of(-1, 0, 1));
 * if (least !== -1 || greatest !== 1) throw new Error("unexpected");
 * if (counts[0] !== 1 || counts[15] !== 1 || counts[29] !== 1) throw new Error();
 * ```
 */
export function tensorHistogram(values: Float32Array): TensorHistogram {
  let least = Infinity, greatest = -Infinity;
  let sum = 0, sumOfSquares = 0, notFinite = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) {
      notFinite++;
      continue;
    }
    if (value < least) least = value;
    if (value > greatest) greatest = value;
    sum += value;
    sumOfSquares += value * value;
  }
  if (notFinite === values.length) {
    return { least: 0, greatest: 0, sum, sumOfSquares, notFinite, counts: [] };
  }
  const counts = new Array<number>(least === greatest ? 1 : BINS).fill(0);
  const scale = least === greatest ? 0 : BINS / (greatest - least);
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const bin = Math.min(
      Math.floor((value - least) * scale),
      counts.length - 1,
    );
    counts[bin]!++;
  }
  return { least, greatest, sum, sumOfSquares, notFinite, counts };
}

/** The histogram of each tensor, by name. */
export function histogramsOf(
  state: StateDict,
): Record<string, TensorHistogram> {
  return Object.fromEntries(
    [...state].map(([name, { data }]) => [name, tensorHistogram(data)]),
  );
}
