import { printableValue } from "../_printable.ts";
import {
  type Augmentation,
  checkAugmentation,
} from "../data/augment/augmentation.ts";
import { checkMixing } from "../data/augment/mix.ts";
import type { ReduceOrder } from "../device/communicator.ts";
import { GapcamError } from "../error.ts";
import { type Interpolation, INTERPOLATIONS } from "../image/preprocessing.ts";
import { adamW } from "../nn/optimiser.ts";
import { type OptimiserName, optimiserOf, OPTIMISERS } from "./optimiser_of.ts";
import { assertWeights } from "../nn/class_weights.ts";
import { TRAINING_LOSSES, type TrainingLoss } from "../nn/training_options.ts";
import { type ScheduleName, SCHEDULES } from "./learning_rate.ts";
import { definedOf } from "../_defined_of.ts";

/**
 * How to train. Plain data: a checkpoint keeps it, and with the same data,
 * device, thread count and kept timings of convolutions it gives the same bytes
 * again.
 */
export interface TrainingConfig {
  /** Height and width that images are resized to, in pixels. Default: 224. */
  imageSize: number;
  /** Mean of each channel, or of all if it is one, of pixels in [0, 1]. Default: 0.5. */
  mean: number[];
  /** Standard deviation of each channel, or of all. Default: 0.5. */
  deviation: number[];
  /** How photographs and pictures of folders are resized. Default: `bilinear`. */
  interpolation: Interpolation;
  /** Share of their shorter side that is looked at, in (0, 1]. Default: 1. */
  cropShare: number;
  /** Images a step. Default: 64. */
  batchSize: number;
  /** How often every training image is shown. Default: 100. */
  epochs: number;
  /** Greatest learning rate. Default: 1e-5. */
  learningRate: number;
  /** How it changes. Default: `constant`. */
  schedule: ScheduleName;
  /** What updates the parameters. Default: `adam`. */
  optimiser: OptimiserName;
  /**
   * Weight decay, as the optimiser applies it. Default: 0.01 for `adamw`, as
   * PyTorch has it, else 0.
   */
  weightDecay: number;
  /**
   * What weight decay applies to: `all` parameters, as in PyTorch, or `weights`
   * alone, not biases and normalisation. Default: `all`.
   */
  weightDecayOn: "all" | "weights";
  /** Momentum of `sgd` and `nesterov`. Default: 0.9. */
  momentum: number;
  /**
   * What is minimised: the cross-entropy of a softmax, or that of a sigmoid each
   * (`binary`), which images with several labels need. Default: `crossEntropy`.
   */
  loss: TrainingLoss;
  /**
   * A factor for each class on its part of the loss, in the order of labels;
   * `balanced`: as much larger as a class has fewer images. Default: none.
   */
  classWeights: number[] | "balanced";
  /** Parameter of mixup, 0 to 100; see {@linkcode Mixing}. Default: 0. */
  mixup: number;
  /** Parameter of cutmix, 0 to 100. Default: 0. */
  cutmix: number;
  /** The norm that gradients are cut to, or 0 for none. Default: 0. */
  clipNorm: number;
  /**
   * Batches whose gradients are added up before each update; a step shows so many
   * times `batchSize` images. Default: 1.
   */
  accumulate: number;
  /** Share of the target that is spread over all classes, in [0, 1). Default: 0. */
  labelSmoothing: number;
  /**
   * Whether training images are mirrored at random; `alternating`: each in every
   * second epoch. Default: false.
   */
  flip: boolean | "alternating";
  /** Pixels by which training images are shifted at random, at most. Default: 0. */
  crop: number;
  /** Further random changes to training images. Default: none. */
  augmentation: Omit<Augmentation, "horizontalFlip" | "randomCrop" | "fill">;
  /**
   * Layers, groups of layers and parameters that are not trained; batch
   * normalisation among them keeps its running statistics and goes by them.
   * Where these are all but the layer that decides, and images are not changed
   * at random, what they make of an image is computed once. Default: none.
   */
  freeze: string[];
  /**
   * First epochs in which the layer that decides learns alone; the optimiser and
   * its schedule begin anew with the epoch after them. Default: 0.
   */
  headEpochs: number;
  /** Learning rate of all other layers, as a share of that one's. Default: 1. */
  trunkRate: number;
  /**
   * Decay of a moving average of the weights (EMA), which is then what
   * validates, and what others take from the checkpoint; above 0 and below 1, or
   * 0 for none. Default: 0.
   */
  emaDecay: number;
  /**
   * Whether whoever judges the network shows it each image mirrored as well, and
   * averages both answers (test-time flips). Default: false.
   */
  testFlips: boolean;
  /** Which epoch is the best, if the run is validated. Default: `accuracy`. */
  bestBy: "accuracy" | "loss";
  /**
   * Epochs without a better one after which a run that is validated ends; 0:
   * it does not. Default: 0.
   */
  patience: number;
  /**
   * Whether each class is shown as often as the others: images of small classes
   * several times an epoch. Default: false.
   */
  balance: boolean;
  /**
   * Of a run on several ranks: whether batch normalisation takes the statistics
   * of the whole batch; else each rank takes those of its part. Default: false.
   */
  syncBatchNorm: boolean;
  /** Of a run on several ranks: how gradients are summed. Default: `ordered`. */
  reduce: ReduceOrder;
  /** Drives initialisation, order and augmentation. Default: 0. */
  seed: number;
  /** Steps from one reported loss to the next. Default: 50. */
  logEvery: number;
}

/**
 * The configuration of the notebook that gapcam replaces; what `overrides`
 * names is changed.
 *
 * @param overrides Any of the configuration's values.
 * @returns A whole configuration.
 * @throws {GapcamError} If a value is out of range.
 *
 * @example
 * ```ts
 * import { trainingConfig } from "@gapcam/gapcam";
 *
 * const config = trainingConfig({ epochs: 3, imageSize: 32 });
 * if (config.batchSize !== 64) throw new Error("unexpected");
 * ```
 */
export function trainingConfig(
  overrides: Partial<TrainingConfig> = {},
): TrainingConfig {
  const given = definedOf(overrides);
  const config: TrainingConfig = {
    imageSize: 224,
    mean: [0.5],
    deviation: [0.5],
    interpolation: "bilinear",
    cropShare: 1,
    batchSize: 64,
    epochs: 100,
    learningRate: 1e-5,
    schedule: "constant",
    optimiser: "adam",
    weightDecay: given.optimiser === "adamw" ? adamW().weightDecay : 0,
    weightDecayOn: "all",
    momentum: 0.9,
    loss: "crossEntropy",
    classWeights: [],
    mixup: 0,
    cutmix: 0,
    clipNorm: 0,
    accumulate: 1,
    labelSmoothing: 0,
    flip: false,
    crop: 0,
    augmentation: {},
    freeze: [],
    headEpochs: 0,
    trunkRate: 1,
    emaDecay: 0,
    testFlips: false,
    bestBy: "accuracy",
    patience: 0,
    balance: false,
    syncBatchNorm: false,
    reduce: "ordered",
    seed: 0,
    logEvery: 50,
    ...given,
  };
  assertConfig(config);
  return config;
}

/** Any of it may come from a file that anybody wrote. */
function assertConfig(config: TrainingConfig): void {
  const refuse = (name: keyof TrainingConfig, expected: string): never => {
    throw new GapcamError(
      "invalid-argument",
      `Cannot train with ${name} ${printableValue(config[name])}: expected ` +
        expected,
    );
  };
  for (
    const [name, least, greatest] of [
      ["imageSize", 1, 8192],
      ["batchSize", 1, 65536],
      ["epochs", 0, 1e6],
      ["crop", 0, 4096],
      ["accumulate", 1, 65536],
      ["headEpochs", 0, 1e6],
      ["patience", 0, 1e6],
      ["seed", 0, Number.MAX_SAFE_INTEGER],
      ["logEvery", 1, Number.MAX_SAFE_INTEGER],
    ] as const
  ) {
    const value = config[name];
    if (Number.isSafeInteger(value) && value >= least && value <= greatest) {
      continue;
    }
    refuse(name, `a whole number from ${least} to ${greatest}`);
  }
  for (const name of ["mean", "deviation"] as const) {
    if (
      Array.isArray(config[name]) && config[name].length > 0 &&
      config[name].every((value) => Number.isFinite(value))
    ) continue;
    refuse(name, "one number for each channel, or one for all");
  }
  for (const name of ["learningRate", "weightDecay", "momentum"] as const) {
    if (typeof config[name] !== "number") refuse(name, "a number");
  }
  const { emaDecay, labelSmoothing, freeze, cropShare, clipNorm } = config;
  const { trunkRate } = config;
  if (!(typeof trunkRate === "number" && trunkRate >= 0 && trunkRate < 1e6)) {
    refuse("trunkRate", "a number from 0");
  }
  checkMixing(config);
  const { classWeights } = config;
  if (Array.isArray(classWeights)) {
    if (classWeights.length > 0) assertWeights(classWeights);
  } else if (classWeights !== "balanced") {
    refuse("classWeights", "a list of numbers, or balanced");
  }
  if (typeof clipNorm !== "number" || !(clipNorm >= 0 && clipNorm < Infinity)) {
    refuse("clipNorm", "a number above 0, or 0 for none");
  }
  if (!TRAINING_LOSSES.includes(config.loss)) {
    refuse("loss", `one of ${TRAINING_LOSSES.join(", ")}`);
  }
  if (!INTERPOLATIONS.includes(config.interpolation)) {
    refuse("interpolation", `one of ${INTERPOLATIONS.join(", ")}`);
  }
  if (!(typeof cropShare === "number" && cropShare > 0 && cropShare <= 1)) {
    refuse("cropShare", "a number above 0, at most 1");
  }
  if (typeof emaDecay !== "number" || !(emaDecay >= 0 && emaDecay < 1)) {
    refuse("emaDecay", "a number above 0 and below 1, or 0 for no average");
  }
  if (!["all", "weights"].includes(config.weightDecayOn)) {
    refuse("weightDecayOn", "all or weights");
  }
  if (
    typeof labelSmoothing !== "number" ||
    !(labelSmoothing >= 0 && labelSmoothing < 1)
  ) refuse("labelSmoothing", "a number of at least 0 and below 1");
  if (![true, false, "alternating"].includes(config.flip)) {
    refuse("flip", "true, false or alternating");
  }
  checkAugmentation(config.augmentation);
  for (const name of ["balance", "testFlips", "syncBatchNorm"] as const) {
    if (typeof config[name] !== "boolean") refuse(name, "true or false");
  }
  if (!["ordered", "fast"].includes(config.reduce)) {
    refuse("reduce", "ordered or fast");
  }
  if (
    !Array.isArray(freeze) || !freeze.every((one) => typeof one === "string")
  ) refuse("freeze", "a list of names");
  if (!["accuracy", "loss"].includes(config.bestBy)) {
    refuse("bestBy", "accuracy or loss");
  }
  if (!SCHEDULES.includes(config.schedule)) {
    refuse("schedule", `one of ${SCHEDULES.join(", ")}`);
  }
  if (!OPTIMISERS.includes(config.optimiser)) {
    refuse("optimiser", `one of ${OPTIMISERS.join(", ")}`);
  }
  optimiserOf(config);
}
