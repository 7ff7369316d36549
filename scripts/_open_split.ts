/**
 * From a configuration to images.
 *
 * @module
 */

import type { Dataset } from "../src/data/dataset.ts";
import {
  DATASET_NAMES,
  type DatasetName,
  openDataset,
} from "../src/data/open_dataset.ts";
import { GapcamError } from "../src/error.ts";
import type { DatasetConfig } from "../src/train/checkpoint.ts";

/** Opens one split of what a configuration names. */
export async function openSplit(
  dataset: DatasetConfig,
  split: "train" | "test",
  limit?: number,
): Promise<Dataset> {
  if (!DATASET_NAMES.some((name) => name === dataset.name)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot open data set ${JSON.stringify(dataset.name)}: only the script ` +
        "that trained on it can, with train() and the checkpoint it goes on " +
        `from; expected one of ${DATASET_NAMES.join(", ")}`,
    );
  }
  return await openDataset(dataset.name as DatasetName, split, {
    ...(dataset.folder ? { dataDir: dataset.folder } : {}),
    ...(limit ? { limit } : {}),
    ...(dataset.size ? { size: dataset.size } : {}),
    ...(dataset.testFraction ? { testFraction: dataset.testFraction } : {}),
    ...(dataset.strict ? { strict: true } : {}),
  });
}
