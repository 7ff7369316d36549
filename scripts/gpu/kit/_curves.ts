/** How two loss curves are compared: by means over stretches, since single steps are noisy. */
export interface CurveTolerance {
  /** Steps a stretch. */
  stretch: number;
  /** Greatest difference of two means, as a share of the expected one. */
  relative: number;
  /** And what is allowed beyond. */
  absolute: number;
}

/** Whether something holds, and the numbers. */
export interface Check {
  what: string;
  passed: boolean;
  detail: string;
}

/** Means over stretches of a curve. */
export function stretches(
  losses: readonly number[],
  length: number,
): number[] {
  const means: number[] = [];
  for (let start = 0; start < losses.length; start += length) {
    const part = losses.slice(start, start + length);
    means.push(part.reduce((sum, loss) => sum + loss, 0) / part.length);
  }
  return means;
}

/** Checks that a curve stays by another. */
export function checkAgreement(
  what: string,
  curves: { found: readonly number[]; expected: readonly number[] },
  tolerance: CurveTolerance,
): Check {
  const { stretch, relative, absolute } = tolerance;
  const found = stretches(curves.found, stretch);
  const expected = stretches(curves.expected, stretch);
  let worst = 0;
  found.forEach((value, i) => {
    const bound = relative * Math.abs(expected[i]!) + absolute;
    const share = Math.abs(value - expected[i]!) / bound;
    // NaN must not pass, and Math.max would take either.
    worst = Number.isFinite(share) ? Math.max(worst, share) : Infinity;
  });
  return {
    what,
    passed: found.length > 0 && found.length === expected.length && worst <= 1,
    detail: `largest difference ${(100 * worst).toFixed(0)} % of what is ` +
      `allowed (means of ${stretch} steps, ${relative} of the loss + ` +
      `${absolute})`,
  };
}

/** Checks that a curve ends at `share` of where it began, or lower. */
export function checkFall(
  what: string,
  losses: readonly number[],
  share: number,
): Check {
  const length = Math.max(1, Math.floor(losses.length / 10));
  const [first = NaN] = stretches(losses, length);
  const [last = NaN] = stretches(losses.slice(-length), length);
  return {
    what,
    passed: last <= share * first,
    detail: `from ${first.toFixed(3)} to ${last.toFixed(3)}, at most ` +
      `${(share * first).toFixed(3)} allowed`,
  };
}
