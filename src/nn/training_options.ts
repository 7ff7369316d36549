import type { ImageOptions } from "./network.ts";
import type { Optimiser } from "./optimiser.ts";

/** Options of {@linkcode TrainingProgram.compile}. */
export interface TrainingOptions extends ImageOptions {
  /** How parameters follow their gradients. */
  optimiser: Optimiser;
  /**
   * Parameters with a learning rate of their own: `prefix` names a layer, a
   * group of layers or a tensor (`features`, `features.0`,
   * `features.0.weight`), which then learns `factor` times as fast. The first
   * that fits counts.
   */
  groups?: readonly { prefix: string; factor: number }[];
  /**
   * Layers, groups of layers or tensors that stay as they are, named as in
   * {@linkcode groups}. Running statistics of batch normalisation go on, as in
   * PyTorch.
   */
  freeze?: readonly string[];
  /**
   * What the optimiser's weight decay applies to: `all` parameters, or `weights`
   * alone, not biases and normalisation (parameters of one dimension). Default:
   * `all`.
   */
  weightDecayOn?: "all" | "weights";
  /** See {@linkcode Program.crossEntropy}. Default: 0. */
  labelSmoothing?: number;
  /**
   * What layers draw by that drop values at random, together with the number
   * of the step: the same seed drops the same values in the same step, on every
   * device and after a resume. A whole number, of which 32 bits count.
   * Default: 0.
   */
  seed?: number;
  /** Whether to time each step. Default: false. */
  profile?: boolean;
}

/** What the steps since the last reset came to; see {@linkcode TrainingProgram.metrics}. */
export interface TrainingMetrics {
  /** Sum of the steps' losses. */
  lossSum: number;
  /** Steps counted. */
  steps: number;
  /** Images whose greatest logit was the label's. */
  correct: number;
  /** Images counted. */
  images: number;
  /** Largest loss of a step. */
  largestLoss: number;
  /** Steps whose loss was not finite. */
  notFinite: number;
  /** Loss of the last step. */
  lastLoss: number;
}
