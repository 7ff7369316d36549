import type { Communicator, ReduceOrder } from "../device/communicator.ts";
import type { ImageOptions } from "./network.ts";
import type { Optimiser } from "./optimiser.ts";

/** What training minimises. */
export type TrainingLoss = "crossEntropy" | "binary";

/** Every {@linkcode TrainingLoss}. */
export const TRAINING_LOSSES: readonly TrainingLoss[] = [
  "crossEntropy",
  "binary",
];

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
   * {@linkcode groups}. Frozen layers compute as where nothing is trained, by the
   * values that they have when the step is compiled: batch normalisation uses
   * its running statistics, and keeps them, and nothing is dropped. Where only
   * tensors of a layer are frozen, it is as any other.
   */
  freeze?: readonly string[];
  /**
   * Whether a step takes, in place of images, what global average pooling makes
   * of them: 32-bit floats, whose bytes are the channels of the first pixel of
   * `image`. What comes before it does not take part. Default: false.
   */
  features?: boolean;
  /**
   * What the optimiser's weight decay applies to: `all` parameters, or `weights`
   * alone, not biases and normalisation (parameters of one dimension). Default:
   * `all`.
   */
  weightDecayOn?: "all" | "weights";
  /**
   * What is minimised: the cross-entropy of a softmax, of one class an image, or
   * that of a sigmoid each (`binary`), of any number of classes an image and of
   * one logit. Default: `crossEntropy`.
   */
  loss?: TrainingLoss;
  /**
   * Whether {@linkcode TrainingProgram.step} takes f32 targets, a number for each
   * image and class, in place of labels; `binary` always does. Default: false.
   */
  targets?: boolean;
  /**
   * A factor for each class: on its images' part of the loss, or with `binary` on
   * that of images that have it. Default: ones.
   */
  classWeights?: readonly number[];
  /** See {@linkcode Program.crossEntropy}. Default: 0. */
  labelSmoothing?: number;
  /**
   * The norm to which the gradients of all parameters together are cut before
   * each update, above 0. Default: none.
   */
  clipNorm?: number;
  /**
   * Batches a step: their gradients are added up as if they were one large batch,
   * in the memory of a small one. Batch normalisation takes the statistics of
   * each small batch, and its running ones move once for each. Default: 1.
   */
  accumulate?: number;
  /**
   * What layers draw by that drop values at random, together with the number
   * of the step: the same seed drops the same values in the same step, on every
   * device and after a resume. A whole number, of which 32 bits count.
   * Default: 0.
   */
  seed?: number;
  /** Whether to time each step. Default: false. */
  profile?: boolean;
  /**
   * What joins the ranks that all train this network, each with its part of
   * every batch: `batchSize` is this rank's part, and parameters change as if
   * one process had the whole. Default: there is one.
   */
  communicator?: Communicator;
  /**
   * Whether batch normalisation takes the statistics of the whole batch, of all
   * ranks. Else each rank takes those of its part, and running statistics are
   * the means of theirs. Default: false.
   */
  syncBatchNorm?: boolean;
  /** How gradients are summed over ranks. Default: `ordered`. */
  reduce?: ReduceOrder;
}

/** Options of {@linkcode TrainingProgram.step}. */
export interface StepOptions {
  /** That of this step. Default: the optimiser's. */
  learningRate?: number;
  /** The number that the first image has in the batch of all ranks. Default: 0. */
  firstImage?: number;
  /** Whether this rank wishes that all stop; see {@linkcode TrainingMetrics}. */
  stop?: boolean;
}

/** What the steps since the last reset came to; see {@linkcode TrainingProgram.metrics}. */
export interface TrainingMetrics {
  /** Sum of the batches' losses. */
  lossSum: number;
  /** Batches counted: a step has as many as it accumulates. */
  steps: number;
  /**
   * Images whose greatest logit was the label's; with `binary` those all of whose
   * logits are above 0 exactly where the target is above one half.
   */
  correct: number;
  /** Images counted. */
  images: number;
  /** Largest loss of a batch. */
  largestLoss: number;
  /** Batches whose loss was not finite. */
  notFinite: number;
  /** Loss of the last batch. */
  lastLoss: number;
  /** Ranks that wished to stop, of each step; 0 in a program of one rank. */
  stops: number;
}
