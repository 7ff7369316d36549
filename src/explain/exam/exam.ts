import type { SplitName } from "../../data/dataset.ts";
import type { MeasureName, ScoreName } from "./measures.ts";

/** What a measure gave, over all maps. */
export interface Score {
  /** In the unit of its measure. */
  readonly mean: number;
  /** Standard error of the mean; 0 for a single value. */
  readonly error: number;
  /** Number of maps. */
  readonly count: number;
}

/** Probabilities while places are removed or shown, means over all images. */
export interface Curves {
  /** Shares of the places, from 0 to 1. */
  readonly shares: readonly number[];
  /** While the greatest places of the map are removed. */
  readonly deletion: readonly number[];
  /** While they are shown. */
  readonly insertion: readonly number[];
}

/** How maps change while layers become random; see `randomisedStates`. */
export interface Randomisation {
  /** How many layers were random, from the last; all in the end. */
  readonly layers: readonly number[];
  /** Mean rank correlation with the trained network's maps, of each. */
  readonly correlations: readonly number[];
  /** Number of images. */
  readonly images: number;
  /**
   * Whether the maps stay what they were with all layers random, at a mean
   * correlation above 0.5: they do not show what the network learned.
   */
  readonly unchanged: boolean;
}

/** How one method did. */
export interface MethodResult {
  /** Its name. */
  readonly method: string;
  /** By the names of `SCORE_KINDS`; those that were measured. */
  readonly scores: Partial<Record<ScoreName, Score>>;
  /** Left out unless insertion or deletion was measured. */
  readonly curves?: Curves;
  /** Left out unless randomisation was measured. */
  readonly randomisation?: Randomisation;
  /** Left out unless time was measured. */
  readonly secondsPerMap?: number;
}

/** How methods did on the same images. Plain data, for JSON too. */
export interface Exam {
  /** The data set's name. */
  readonly dataset: string;
  /** Which split. */
  readonly split: SplitName;
  /** Images that were examined. */
  readonly images: number;
  /** How many of them the network answered as their labels say. */
  readonly right: number;
  /** Maps of classes whose place is known, of each method; 0 if none was asked for. */
  readonly boxes: number;
  /** What was measured. */
  readonly measures: readonly MeasureName[];
  /** How each method did. */
  readonly methods: readonly MethodResult[];
  /** Mean rank correlation between methods' maps, in the order of `methods`. */
  readonly agreement?: readonly (readonly number[])[];
  /** Methods that this network cannot be explained by, and why. */
  readonly refused: readonly {
    readonly method: string;
    readonly reason: string;
  }[];
}
