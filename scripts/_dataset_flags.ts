/**
 * Which images, as flags say it.
 *
 * @module
 */

import { DATASET_NAMES } from "../src/data/open_dataset.ts";
import { GapcamError } from "../src/error.ts";
import type { DatasetConfig } from "../src/train/checkpoint.ts";
import { type Flag, userPath } from "./_command.ts";

/**
 * Flags of every command that opens a data set.
 *
 * @param texts What the data set is for, and which it is and where it lies if
 * the flags are left out.
 */
export function datasetFlags(
  texts: { help: string; default: string; folder: string },
) {
  return {
    dataset: {
      type: "string",
      choices: DATASET_NAMES,
      help: texts.help,
      default: texts.default,
      placeholder: "NAME",
    },
    "data-dir": {
      type: "string",
      help: "folder of the data set",
      default: texts.folder,
      placeholder: "FOLDER",
    },
  } as const satisfies Record<string, Flag>;
}

/** The flag that names a split. */
export function splitFlag(split: "train" | "test") {
  return {
    type: "string",
    choices: ["train", "validation", "test"],
    help: "which images",
    default: split,
    placeholder: "SPLIT",
  } as const satisfies Flag;
}

/** What `--data-dir` says of a data set. */
export function folderOf(
  folder: string | undefined,
): Pick<DatasetConfig, "folder"> {
  return folder ? { folder: userPath(folder) } : {};
}

/** `--data-dir` says where, but nothing says what. */
export function unknownFolder(folder: string): GapcamError {
  return new GapcamError(
    "invalid-argument",
    `Cannot tell what is in ${folder}: expected --dataset beside --data-dir ` +
      "(--dataset folder for pictures of your own)",
  );
}
