import type { DatasetName } from "../data/open_dataset.ts";
import type { TrainingConfig } from "./training_config.ts";

/** A whole job by name: data, model and training. */
export interface Preset {
  /** The data set. */
  dataset: DatasetName;
  /** A model's name; see {@linkcode parseModel}. */
  model: string;
  /** Slope of the leaky ReLU. */
  negativeSlope: number;
  /** Whether batch normalisation follows each convolution. */
  batchNorm: boolean;
  /** What differs from {@linkcode trainingConfig}'s defaults. */
  training: Partial<TrainingConfig>;
}

/** Name of one of {@linkcode PRESETS}. */
export type PresetName = "seed" | "quick";

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
  // Minutes on two cores.
  quick: {
    dataset: "fashion-mnist",
    model: "small",
    negativeSlope: 0.2,
    batchNorm: true,
    training: {
      imageSize: 28,
      batchSize: 96,
      epochs: 5,
      optimiser: "adam",
      learningRate: 4e-3,
      schedule: "one-cycle",
      logEvery: 50,
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
 * Chooses a preset where none is named.
 *
 * @returns `seed` where STL-10 is there and a GPU is in use, else `quick`, and why.
 *
 * @example
 * ```ts
 * import { choosePreset } from "@gapcam/gapcam";
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
