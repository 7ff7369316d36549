import { GapcamError } from "../../error.ts";
import { nearestNames } from "../../_nearest_names.ts";

/** What {@linkcode examine} can measure. */
export const MEASURE_NAMES = [
  "deletion",
  "insertion",
  "drop",
  "increase",
  "road",
  "pointing",
  "box",
  "time",
  "randomisation",
  "agreement",
] as const;

/** One of {@linkcode MEASURE_NAMES}. */
export type MeasureName = typeof MEASURE_NAMES[number];

/** Measures that must know where a class lies. */
export const BOX_MEASURES: readonly MeasureName[] = ["pointing", "box"];

/** A number that a measure gives each image. */
export interface ScoreKind {
  /** Which measure gives it. */
  readonly measure: MeasureName;
  /** What it is called in a table. */
  readonly title: string;
  /** Whether a good method has much of it. */
  readonly good: "high" | "low";
  /** What it says, in a sentence. */
  readonly meaning: string;
}

/** All numbers that are given an image, in the order of a table. */
export const SCORE_KINDS = {
  "pointing": {
    measure: "pointing",
    title: "pointing",
    good: "high",
    meaning: "share of maps whose greatest value lies where the class does",
  },
  "which": {
    measure: "pointing",
    title: "which box",
    good: "high",
    meaning:
      "share of maps that are greater, on the mean, where their class lies " +
      "than where any other of the image does",
  },
  "inside": {
    measure: "pointing",
    title: "inside",
    good: "high",
    meaning: "share of the evidence that lies where the class does",
  },
  "box": {
    measure: "box",
    title: "box IoU",
    good: "high",
    meaning: "overlap of the map's box with that of the class",
  },
  "box-half": {
    measure: "box",
    title: "IoU >= 0.5",
    good: "high",
    meaning: "share of maps whose box overlaps that of the class by half",
  },
  "insertion": {
    measure: "insertion",
    title: "insertion",
    good: "high",
    meaning: "mean probability while the best places are shown first",
  },
  "deletion": {
    measure: "deletion",
    title: "deletion",
    good: "low",
    meaning: "mean probability while the best places are removed first",
  },
  "road": {
    measure: "road",
    title: "ROAD",
    good: "high",
    meaning:
      "half of how much less is lost where the worst places are blurred away " +
      "than where the best are",
  },
  "road-morf": {
    measure: "road",
    title: "MoRF",
    good: "low",
    meaning: "change of the probability where the best places are blurred away",
  },
  "road-lerf": {
    measure: "road",
    title: "LeRF",
    good: "high",
    meaning: "the same for the worst places",
  },
  "drop": {
    measure: "drop",
    title: "drop",
    good: "low",
    meaning: "share of the probability that is lost where the map masks",
  },
  "increase": {
    measure: "increase",
    title: "increase",
    good: "high",
    meaning: "share of images whose probability rises where the map masks",
  },
} as const satisfies Record<string, ScoreKind>;

/** The name of one of {@linkcode SCORE_KINDS}. */
export type ScoreName = keyof typeof SCORE_KINDS;

/**
 * Checks names of measures.
 *
 * @throws {GapcamError} If there is no such measure; the nearest are named.
 */
export function parseMeasures(names: readonly string[]): MeasureName[] {
  return names.map((name) => {
    const found = MEASURE_NAMES.find((one) => one === name);
    if (found) return found;
    throw new GapcamError(
      "invalid-argument",
      `Cannot measure ${JSON.stringify(name)}: expected one of ${
        nearestNames(name, MEASURE_NAMES).join(", ")
      }`,
    );
  });
}
