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
