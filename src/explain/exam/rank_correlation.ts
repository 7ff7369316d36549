import { GapcamError } from "../../error.ts";

/**
 * Spearman's rank correlation: that of Pearson between ranks, equal values having
 * the mean of theirs. As `scipy.stats.spearmanr`, which says NaN where this says 0.
 *
 * @param first Any numbers.
 * @param second As many.
 * @returns From -1 to 1; 0 where one of them is the same everywhere.
 * @throws {GapcamError} If they differ in length, or a value is not a number.
 *
 * @example
 * ```ts
 * import { rankCorrelation } from "./rank_correlation.ts";
 *
 * if (rankCorrelation([1, 2, 9], [0, 5, 6]) !== 1) throw new Error();
 * ```
 */
export function rankCorrelation(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
): number {
  if (first.length !== second.length) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot correlate ${first.length} values with ${second.length}: ` +
        "expected as many",
    );
  }
  const a = centredRanks(first);
  const b = centredRanks(second);
  let product = 0, squareA = 0, squareB = 0;
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!;
    squareA += a[i]! * a[i]!;
    squareB += b[i]! * b[i]!;
  }
  const scale = Math.sqrt(squareA * squareB);
  return scale === 0 ? 0 : Math.max(-1, Math.min(1, product / scale));
}

/** Ranks less their mean; equal values share the mean of their ranks. */
function centredRanks(values: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(values).sort();
  if (Number.isNaN(sorted.at(-1))) {
    throw new GapcamError(
      "bad-data",
      "Cannot rank values: found what is not a number",
    );
  }
  const middle = (values.length - 1) / 2;
  const ranks = new Map<number, number>();
  for (let start = 0; start < sorted.length;) {
    let end = start + 1;
    while (end < sorted.length && sorted[end] === sorted[start]) end++;
    // The key of -0 and of 0 is the same.
    ranks.set(sorted[start]!, (start + end - 1) / 2 - middle);
    start = end;
  }
  return Float64Array.from(values, (value) => ranks.get(value)!);
}
