import type { FloatMap } from "../../image/float_map.ts";
import { Random } from "../../random.ts";
import { imputeLinearly } from "./_impute_linearly.ts";
import type { Probe, Probed, ProbeSubject } from "./probe.ts";
import { placesByValue } from "./_places.ts";

/** How the probability of a class changes while places are blurred away. */
export interface Road {
  /** Mean change where what the map holds most relevant goes first; low is good. */
  readonly mostFirst: number;
  /** The same where the least relevant goes first; high is good. */
  readonly leastFirst: number;
  /** Half the second less the first, in [-1, 1]; high is good. */
  readonly combined: number;
}

/** Options of {@linkcode road}. */
export interface RoadOptions {
  /** Which shares of the places are kept, each in (0, 100). */
  readonly percentiles: readonly number[];
  /** Standard deviation of what is added to removed places, after normalisation. */
  readonly noise: number;
  /** Where the noise comes from. */
  readonly seed: number;
}

/**
 * ROAD, remove and debias: Rong, Leemann, Borisov, Kasneci and Kasneci, "A
 * Consistent and Efficient Evaluation Strategy for Attribution Methods", ICML
 * 2022. Removed places become what their neighbours say (section 5.1, noisy
 * linear imputation), so that the shape of the hole does not tell the class. At
 * each percentile that share of the places is kept: the least relevant once, the
 * most relevant once. Equal values go together, as in pytorch-grad-cam, unless
 * too little would be left of a map that is the same in many places.
 *
 * @param subject What was explained.
 * @param options Percentiles and noise.
 */
export function road(
  subject: ProbeSubject,
  options: RoadOptions,
): Probed<Road> {
  const { input, map, classIndex, probability } = subject;
  const { percentiles, noise, seed } = options;
  const order = placesByValue(map);
  const probe = (removed: Uint32Array, number: number): Probe => ({
    classIndex,
    write: (target) => {
      target.set(input);
      imputeLinearly(target, removed, map);
      const normal = normals(new Random(seed, number));
      for (let at = 0; at < target.length; at += order.length) {
        for (const place of removed) target[at + place]! += noise * normal();
      }
    },
  });
  const probes = percentiles.flatMap((percentile, i) => [
    probe(removedOf(map, order, percentile), 2 * i),
    // The same map the other way round.
    probe(removedOf(map, order.toReversed(), percentile), 2 * i + 1),
  ]);
  return {
    probes,
    result: (scores) => {
      const mean = (side: number) =>
        percentiles.reduce((sum, _, i) => sum + scores[2 * i + side]!, 0) /
          percentiles.length - probability;
      const [mostFirst, leastFirst] = [mean(0), mean(1)];
      return {
        mostFirst,
        leastFirst,
        combined: (leastFirst - mostFirst) / 2,
      };
    },
  };
}

/** What goes first of an order, so that a percentile of the places is left. */
function removedOf(
  { data }: FloatMap,
  order: Uint32Array,
  percentile: number,
): Uint32Array {
  const last = order.length - 1;
  const wanted = Math.max(1, Math.ceil(percentile / 100 * last));
  const value = (place: number) => data[order[place]!]!;
  // The percentile lies between the last that stays and the first that goes.
  const position = (1 - percentile / 100) * last;
  const before = Math.floor(position);
  const least = value(before) +
    (position - before) * (value(Math.min(last, before + 1)) - value(before));
  const falls = value(0) >= value(last);
  let removed = order.length - wanted;
  const goes = (place: number) =>
    falls ? value(place) >= least : value(place) <= least;
  while (removed < last && goes(removed)) removed++;
  return order.length - removed < wanted / 2
    ? order.subarray(0, order.length - wanted)
    : order.subarray(0, removed);
}

/** Numbers of the standard normal distribution (Box and Muller 1958). */
function normals(random: Random): () => number {
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
    const angle = 2 * Math.PI * random.uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
