import type { Probed, ProbeSubject } from "./probe.ts";
import { placesByValue } from "./_places.ts";

/** How the answer changes while places are removed, or come back. */
export interface InsertionDeletion {
  /** Shares of the places that were changed, from 0 to 1. */
  readonly shares: readonly number[];
  /** The class's probability after that share was removed. */
  readonly deletion: readonly number[];
  /** The same after that share was shown, of nothing at first. */
  readonly insertion: readonly number[];
  /** Area under each curve, in [0, 1]. */
  readonly deletionArea: number;
  readonly insertionArea: number;
}

/**
 * Insertion and deletion, section 4.2 of Petsiuk, Das and Saenko, "RISE:
 * Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018:
 * places are removed, the greatest of the map first, or shown, on nothing; the
 * area under the probability of the class is taken. What is removed becomes 0
 * after normalisation, the mean colour.
 *
 * @param subject What was explained.
 * @param options `steps`: into how many parts the places are divided.
 */
export function insertionDeletion(
  subject: ProbeSubject,
  options: { steps: number },
): Probed<InsertionDeletion> {
  const { input, map, classIndex, probability } = subject;
  const order = placesByValue(map);
  const places = order.length;
  const step = Math.ceil(places / options.steps);
  const counts: number[] = [];
  for (let count = 0; count < places; count += step) counts.push(count);
  counts.push(places);
  const write = (from: number, to: number) => (target: Float32Array) => {
    target.fill(0);
    for (let at = 0; at < input.length; at += places) {
      for (let i = from; i < to; i++) {
        const place = at + order[i]!;
        target[place] = input[place]!;
      }
    }
  };
  const inner = counts.slice(1, -1);
  const probes = [
    // Nothing at all: where deletion ends and insertion begins.
    { classIndex, write: write(0, 0) },
    ...inner.map((count) => ({ classIndex, write: write(count, places) })),
    ...inner.map((count) => ({ classIndex, write: write(0, count) })),
  ];
  return {
    probes,
    result: (scores) => {
      const [nothing, ...rest] = Array.from(scores) as [number, ...number[]];
      const shares = counts.map((count) => count / places);
      const deletion = [probability, ...rest.slice(0, inner.length), nothing];
      const insertion = [nothing, ...rest.slice(inner.length), probability];
      return {
        shares,
        deletion,
        insertion,
        deletionArea: areaUnder(deletion, shares),
        insertionArea: areaUnder(insertion, shares),
      };
    },
  };
}

/** By trapezia. */
function areaUnder(
  values: readonly number[],
  positions: readonly number[],
): number {
  let area = 0;
  for (let i = 1; i < values.length; i++) {
    area += (positions[i]! - positions[i - 1]!) *
      (values[i]! + values[i - 1]!) / 2;
  }
  return area;
}
