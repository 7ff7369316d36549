/**
 * From a configuration to images.
 *
 * @module
 */

import type { Dataset, SplitName } from "../src/data/dataset.ts";
import {
  DATASET_NAMES,
  type DatasetName,
  openDataset,
} from "../src/data/open_dataset.ts";
import { subset } from "../src/data/subset.ts";
import { validationSplit } from "../src/data/validation_split.ts";
import { GapcamError } from "../src/error.ts";
import type { Preprocessing } from "../src/image/preprocessing.ts";
import type { DatasetConfig } from "../src/train/checkpoint.ts";

/** How pictures of folders are fitted. */
export type PictureFit = Pick<Preprocessing, "interpolation" | "cropShare">;

/** How many images of a split there are, and how pictures of folders are fitted. */
export interface SplitOptions extends PictureFit {
  limit?: number | undefined;
}

/**
 * Opens one split of what a configuration names. What is held out of the
 * training images is the same with any `limit`.
 */
export function openSplit(
  dataset: DatasetConfig,
  split: SplitName,
  options: SplitOptions = {},
): Dataset {
  const { validation } = dataset;
  if (split === "test" || typeof validation !== "object") {
    return openWhole(dataset, split, options);
  }
  const { limit } = options;
  const whole = openWhole(dataset, "train", {
    ...options,
    limit: dataset.trainLimit,
  });
  const part = validationSplit(whole, validation)[split];
  const first = Math.min(limit ?? Infinity, part.length);
  return subset(part, Array.from({ length: first }, (_, i) => i), {
    split: part.split,
  });
}

/** The splits of a run. */
export interface Splits {
  trainSet: Dataset;
  /** What judges the run after each epoch, if anything does. */
  validationSet: Dataset | undefined;
  testSet: Dataset;
}

/** Opens what a run trains on, is validated on, and is tested on. */
export function openSplits(dataset: DatasetConfig, fit: PictureFit): Splits {
  const { validation, trainLimit } = dataset;
  const whole = openWhole(dataset, "train", { ...fit, limit: trainLimit });
  const testSet = openWhole(dataset, "test", {
    ...fit,
    limit: dataset.testLimit,
  });
  if (typeof validation === "object") {
    const parts = validationSplit(whole, validation);
    return { trainSet: parts.train, validationSet: parts.validation, testSet };
  }
  const validationSet = validation === "split"
    ? openWhole(dataset, "validation", fit)
    : undefined;
  return { trainSet: whole, validationSet, testSet };
}

/** Whether the data set brings a split to validate on. */
export function hasValidation(dataset: DatasetConfig): boolean {
  if (dataset.name !== "folder") return false;
  try {
    using opened = openWhole(dataset, "validation") as Dataset & Disposable;
    return opened.length > 0;
  } catch (error) {
    if (error instanceof GapcamError && error.code === "not-found") {
      return false;
    }
    throw error;
  }
}

function openWhole(
  dataset: DatasetConfig,
  split: SplitName,
  { limit, interpolation, cropShare }: SplitOptions = {},
): Dataset {
  if (!DATASET_NAMES.some((name) => name === dataset.name)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot open data set ${JSON.stringify(dataset.name)}: only the script ` +
        "that trained on it can, with train() and the checkpoint it goes on " +
        `from; expected one of ${DATASET_NAMES.join(", ")}`,
    );
  }
  return openDataset(dataset.name as DatasetName, split, {
    ...(dataset.folder ? { dataDir: dataset.folder } : {}),
    ...(limit ? { limit } : {}),
    ...(dataset.size ? { size: dataset.size } : {}),
    ...(dataset.testFraction ? { testFraction: dataset.testFraction } : {}),
    ...(dataset.strict ? { strict: true } : {}),
    ...(interpolation ? { interpolation } : {}),
    ...(cropShare ? { cropShare } : {}),
  });
}
