/**
 * Learning-rate schedules: pure functions from a rate and a tick (an epoch or a
 * step, counted from 0) to a rate, each tick for tick as PyTorch's scheduler.
 *
 * @module
 */

/**
 * Multiplies the rate by `gamma` after every `size` ticks, as `StepLR`.
 *
 * @param rate The first rate.
 * @param tick From 0.
 * @param options `size` in ticks, from 1; `gamma` (0.1).
 * @returns The rate of that tick.
 *
 * @example A tenth after thirty epochs
 * ```ts
 * import { stepRate } from "@gapcam/gapcam";
 *
 * if (stepRate(1, 29, { size: 30 }) !== 1) throw new Error();
 * if (stepRate(1, 30, { size: 30 }) !== 0.1) throw new Error();
 * ```
 */
export function stepRate(
  rate: number,
  tick: number,
  options: { size: number; gamma?: number },
): number {
  return rate * (options.gamma ?? 0.1) ** Math.floor(tick / options.size);
}

/**
 * Half a cosine from `rate` down to `minimum` over `ticks` ticks, as
 * `CosineAnnealingLR` (Loshchilov and Hutter 2017, without restarts).
 *
 * @param rate The first rate.
 * @param tick From 0 to `ticks`.
 * @param options `ticks`, from 1; `minimum`, the last rate (0).
 * @returns The rate of that tick.
 *
 * @example Halfway
 * ```ts
 * import { cosineRate } from "@gapcam/gapcam";
 *
 * const rate = cosineRate(1, 5, { ticks: 10 });
 * if (Math.abs(rate - 0.5) > 1e-12) throw new Error();
 * ```
 */
export function cosineRate(
  rate: number,
  tick: number,
  options: { ticks: number; minimum?: number },
): number {
  return between(rate, options.minimum ?? 0, tick / options.ticks);
}

/**
 * Up to `rate` and down again along half cosines, as `OneCycleLR` without its
 * momentum cycle (Smith and Topin 2019).
 *
 * @param rate The greatest rate.
 * @param tick From 0 to `ticks - 1`.
 * @param options `ticks`: how many there are; `warmUpFraction` (0.3): the share
 * on the way up; `initialDivisor` (25) and `finalDivisor` (10,000): the first
 * rate is `rate / initialDivisor`, the last that over `finalDivisor`.
 * @returns The rate of that tick.
 *
 * @example A low start
 * ```ts
 * import { oneCycleRate } from "@gapcam/gapcam";
 *
 * const rate = oneCycleRate(1, 0, { ticks: 100 });
 * if (Math.abs(rate - 1 / 25) > 1e-12) throw new Error();
 * ```
 */
export function oneCycleRate(
  rate: number,
  tick: number,
  options: {
    ticks: number;
    warmUpFraction?: number;
    initialDivisor?: number;
    finalDivisor?: number;
  },
): number {
  const { ticks, warmUpFraction = 0.3 } = options;
  const initial = rate / (options.initialDivisor ?? 25);
  const top = warmUpFraction * ticks - 1;
  if (tick <= top) return between(initial, rate, top > 0 ? tick / top : 1);
  const final = initial / (options.finalDivisor ?? 1e4);
  return between(rate, final, (tick - top) / (ticks - 1 - top));
}

/**
 * Grows from `startFactor * rate` to `rate` in `ticks` ticks, then stays, as
 * `LinearLR`.
 *
 * @param rate The last rate.
 * @param tick From 0.
 * @param options `ticks`, from 1; `startFactor` (1/3).
 * @returns The rate of that tick.
 *
 * @example Ten ticks to the full rate
 * ```ts
 * import { warmUpRate } from "@gapcam/gapcam";
 *
 * if (warmUpRate(1, 10, { ticks: 10 }) !== 1) throw new Error();
 * ```
 */
export function warmUpRate(
  rate: number,
  tick: number,
  options: { ticks: number; startFactor?: number },
): number {
  const start = options.startFactor ?? 1 / 3;
  if (tick >= options.ticks) return rate;
  return rate * (start + (1 - start) * tick / options.ticks);
}

/** Half a cosine from `from` (share 0) to `to` (share 1). */
function between(from: number, to: number, share: number): number {
  return to + (from - to) * (1 + Math.cos(Math.PI * share)) / 2;
}
