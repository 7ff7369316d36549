import type { DatasetName } from "../data/open_dataset.ts";
import type { TrainingConfig } from "./training_config.ts";

/** A model, and how it is trained, where nothing else is said. */
export interface TrainingDefaults {
  /** A model's name; see {@linkcode parseModel}. */
  model: string;
  /** Slope of the leaky ReLU. */
  negativeSlope: number;
  /** Whether batch normalisation follows each convolution. */
  batchNorm: boolean;
  /** What differs from {@linkcode trainingConfig}'s defaults. */
  training: Partial<TrainingConfig> & Pick<TrainingConfig, "imageSize">;
}

/** A whole job by name: data, model and training. */
export interface Preset extends TrainingDefaults {
  /** The data set. */
  dataset: DatasetName;
}

/** Name of one of {@linkcode PRESETS}. */
export type PresetName =
  | "seed"
  | "quick"
  | "fashion-best"
  | "cifar10"
  | "stl10";

/**
 * What the strong recipes share: Nesterov's momentum and one cycle of the rate,
 * decay of weights alone, soft labels, averaged weights, and mirrored images at
 * the end.
 */
const STRONG = {
  batchSize: 128,
  optimiser: "nesterov",
  learningRate: 0.1,
  momentum: 0.9,
  schedule: "one-cycle",
  weightDecay: 5e-4,
  weightDecayOn: "weights",
  labelSmoothing: 0.1,
  emaDecay: 0.995,
  testFlips: true,
  logEvery: 50,
} as const satisfies Partial<TrainingConfig>;

/** Minutes on two cores for what has up to 60,000 small images. */
function small(imageSize: number): TrainingDefaults {
  return {
    model: "small",
    negativeSlope: 0.2,
    batchNorm: true,
    training: {
      imageSize,
      batchSize: 96,
      epochs: 5,
      optimiser: "adam",
      learningRate: 4e-3,
      schedule: "one-cycle",
      logEvery: 50,
    },
  };
}

/**
 * What a data set is trained with where it is named and no preset is: the same
 * on every machine. Images have their own size; those of a folder, which have
 * none in common, 64 x 64.
 */
export const DATASET_DEFAULTS: Readonly<
  Record<DatasetName, TrainingDefaults>
> = {
  "stl10": small(96),
  "cifar10": small(32),
  "cifar100": small(32),
  "mnist": small(28),
  "fashion-mnist": small(28),
  "shapes": small(96),
  "folder": small(64),
};

/**
 * How a network that was trained on much learns other classes: first the layer
 * that decides, which is new, then all others too, at a lower rate, but for
 * batch normalisation, which stays as it is.
 */
export const FINE_TUNING: Partial<TrainingConfig> = {
  batchSize: 32,
  epochs: 6,
  headEpochs: 1,
  trunkRate: 0.1,
  optimiser: "adamw",
  learningRate: 2e-3,
  weightDecay: 0.05,
  weightDecayOn: "weights",
  schedule: "one-cycle",
  flip: true,
  augmentation: { resizedCrop: 0.8 },
  testFlips: true,
};

/**
 * What differs where an epoch has few batches: so few steps ask for smaller ones
 * of what is known, and larger ones of what is new, and so few images for more
 * that is cut out of them.
 */
export const FINE_TUNING_OF_FEW: Partial<TrainingConfig> = {
  learningRate: 4e-3,
  trunkRate: 0.02,
  augmentation: { resizedCrop: 0.5 },
};

/** How the layer that decides alone learns from what a frozen network makes of images. */
export const HEAD_TRAINING: Partial<TrainingConfig> = {
  batchSize: 64,
  epochs: 20,
  optimiser: "adamw",
  learningRate: 2e-3,
  weightDecay: 0.05,
  weightDecayOn: "weights",
  schedule: "one-cycle",
  flip: true,
  testFlips: true,
};

/** Jobs by name. */
export const PRESETS: Readonly<Record<PresetName, Preset>> = {
  // The notebook that gapcam replaces, value for value.
  seed: {
    dataset: "stl10",
    model: "vgg16",
    negativeSlope: 0.2,
    batchNorm: false,
    training: {
      imageSize: 224,
      batchSize: 64,
      epochs: 100,
      optimiser: "adam",
      learningRate: 1e-5,
      schedule: "constant",
      logEvery: 50,
    },
  },
  quick: {
    dataset: "fashion-mnist",
    model: "32,M,64,64,M,128,128",
    negativeSlope: 0.2,
    batchNorm: true,
    training: {
      ...STRONG,
      imageSize: 28,
      epochs: 16,
      flip: "alternating",
      emaDecay: 0.99,
    },
  },
  "fashion-best": {
    dataset: "fashion-mnist",
    model: "resnet9",
    negativeSlope: 0,
    batchNorm: true,
    training: {
      ...STRONG,
      imageSize: 28,
      epochs: 20,
      flip: "alternating",
      crop: 2,
      augmentation: { padding: "reflect", erase: 0.25 },
    },
  },
  cifar10: {
    dataset: "cifar10",
    model: "resnet9",
    negativeSlope: 0,
    batchNorm: true,
    training: {
      ...STRONG,
      imageSize: 32,
      epochs: 24,
      labelSmoothing: 0.2,
      flip: "alternating",
      crop: 4,
      augmentation: { padding: "reflect", erase: 0.5 },
    },
  },
  stl10: {
    dataset: "stl10",
    model: "resnet9",
    negativeSlope: 0,
    batchNorm: true,
    training: {
      ...STRONG,
      imageSize: 96,
      batchSize: 64,
      epochs: 60,
      learningRate: 0.05,
      flip: true,
      augmentation: { resizedCrop: 0.35, erase: 0.25 },
      mixup: 0.2,
    },
  },
};

/** What {@linkcode choosePreset} goes by. */
export interface Surroundings {
  /** Whether STL-10's files are there. */
  stl10: boolean;
  /** Whether training would run on a GPU. */
  gpu: boolean;
}

/**
 * Chooses a preset where neither one nor a data set is named.
 *
 * @returns `seed` where STL-10 is there and a GPU is in use, else `quick`, and why.
 *
 * @example
 * ```ts
 * import { choosePreset } from "./presets.ts";
 *
 * const { name, reason } = choosePreset({ stl10: true, gpu: false });
 * if (name !== "quick" || reason !== "no GPU is in use") throw new Error(reason);
 * ```
 */
export function choosePreset(
  surroundings: Surroundings,
): { name: PresetName; reason: string } {
  const { stl10, gpu } = surroundings;
  if (stl10 && gpu) {
    return { name: "seed", reason: "STL-10 is there and a GPU is in use" };
  }
  const missing = [
    stl10 ? "" : "STL-10 is not there",
    gpu ? "" : "no GPU is in use",
  ].filter((part) => part);
  return { name: "quick", reason: missing.join(" and ") };
}
