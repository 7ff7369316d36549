/**
 * Timing of competitors that take turns.
 *
 * @module
 */

import type { Worker } from "../../bench/_protocol.ts";
import type { Rates } from "./_benchmark.ts";

const ROUNDS = 3;

/** One of those that are compared. */
export interface Competitor {
  name: string;
  worker: Worker;
  options: Record<string, unknown>;
}

/** One timing; images per second, or why there are none. */
async function time(
  worker: Worker,
  request: Record<string, unknown>,
): Promise<{ rate: number; seconds: number } | { error: string }> {
  const answer = await worker.attempt(request);
  const seconds = Number(answer.seconds);
  return answer.error === undefined
    ? { rate: Number(answer.images) / seconds, seconds }
    : { error: String(answer.error) };
}

/**
 * Warms all up, then lets them take turns.
 *
 * @param measure What is timed.
 * @param competitors Ours is `gapcam`.
 * @param options `rates`: filled round by round, so that one which is cut short
 * leaves whole rounds. `seconds`: what one timing should take at least.
 */
export async function takeTurns(
  measure: string,
  competitors: readonly Competitor[],
  { rates, seconds }: { rates: Record<string, Rates>; seconds: number },
): Promise<void> {
  let steps = 1;
  for (const { name, worker, options } of competitors) {
    rates[name] = { imagesPerSecond: [] };
    for (const count of [2, 2]) {
      const warm = await time(worker, { measure, steps: count, ...options });
      if ("error" in warm) {
        rates[name].error = warm.error;
        break;
      }
      if (name === "gapcam") {
        steps = Math.max(1, Math.ceil(seconds * 2 / warm.seconds));
      }
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    const found = new Map<string, number>();
    for (let i = 0; i < competitors.length; i++) {
      const { name, worker, options } =
        competitors[(i + round) % competitors.length]!;
      if (rates[name]!.error) continue;
      const one = await time(worker, { measure, steps, ...options });
      if ("error" in one) rates[name] = { imagesPerSecond: [], ...one };
      else found.set(name, one.rate);
    }
    for (const [name, rate] of found) rates[name]!.imagesPerSecond.push(rate);
  }
}
