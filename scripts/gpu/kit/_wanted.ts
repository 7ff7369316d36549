/**
 * What the benchmark times, and what it leaves when time is short.
 *
 * @module
 */

import { VGG_CONFIGURATIONS } from "../../../mod.ts";
import type { BenchmarkResult, Precision } from "./_benchmark.ts";

/** The network of the goals. */
export const VGG = "vgg16";
const RESNET = "resnet50", LITE = "efficientnet_lite0";

/** What is timed of a network. */
export type TimedMeasure = "train" | "cam";

/** One network in one precision and batch. */
export interface Wanted {
  model: string;
  precision: Precision;
  batch: number;
  /**
   * By measure the share of the time that must be there for torch.compile,
   * which takes tens of seconds to compile, to take part.
   */
  measures: Partial<Record<TimedMeasure, number>>;
}

const EAGER = Infinity;

/**
 * The most wanted first. For the first three main.ts fills torch.compile's
 * cache beforehand.
 */
const WANTED: readonly Wanted[] = [
  ...[
    { model: RESNET, measures: { train: 0 } },
    { model: VGG, measures: { train: 0, cam: EAGER } },
    { model: LITE, measures: { train: 0 } },
  ].map((one) => ({ ...one, precision: "bf16" as const, batch: 256 })),
  ...([["tf32", 256], ["bf16", 64], ["f32", 64]] as const)
    .map(([precision, batch]) => ({
      ...{ model: VGG, precision, batch, measures: { train: 30, cam: EAGER } },
    })),
  { model: VGG, precision: "bf16", batch: 256, measures: { cam: 0 } },
];

/** Sizes of a run; the small one is for machines without a GPU. */
export function settingOf({ small }: { small: boolean }) {
  return small
    ? {
      trunk: [4, "M", 8, "M"] as const,
      size: 16,
      wanted: (["bf16", "tf32", "f32"] as const).map((precision): Wanted => ({
        ...{ model: VGG, precision, batch: 4 },
        measures: { train: EAGER, cam: EAGER },
      })),
      matrix: 128,
    }
    : {
      trunk: VGG_CONFIGURATIONS.vgg16,
      size: 224,
      wanted: WANTED,
      matrix: 8192,
    };
}

/** How a comparison reads in notes. */
export function nameOf({ model, precision, batch }: Omit<Wanted, "measures">) {
  return `${model}, ${precision}, batch ${batch}`;
}

/** The least that a comparison takes, with workers that have to start. */
const LEAST_SECONDS = 20;

/**
 * Whether a comparison is clearly too long for what time is left.
 *
 * @param batch Of the comparison.
 * @param left Seconds.
 * @param took By batch the seconds of the last comparison with it.
 */
export function isTooLong(
  batch: number,
  left: number,
  took: ReadonlyMap<number, number>,
): boolean {
  // It may be the quicker one, and what is cut keeps its whole rounds.
  return left < Math.max(LEAST_SECONDS, 0.6 * (took.get(batch) ?? 0));
}

/** Those without which the benchmark says too little, and that have no rates. */
export function missing(
  wanted: readonly Wanted[],
  result: BenchmarkResult,
): string[] {
  const [{ precision, batch }] = wanted as [Wanted];
  return wanted.filter((one) =>
    one.measures.train !== undefined && one.precision === precision &&
    one.batch === batch &&
    !result.comparisons.some(({ rates, ...timed }) =>
      nameOf(timed) === nameOf(one) &&
      (rates.train?.gapcam?.imagesPerSecond.length ?? 0) > 0
    )
  ).map(nameOf);
}
