/**
 * Which trained network, on which images, as flags say it.
 *
 * @module
 */

import type { SplitName } from "../src/data/dataset.ts";
import type { DatasetConfig } from "../src/train/checkpoint.ts";
import type { Flag, FlagValues } from "./_command.ts";
import { datasetFlags, folderOf, splitFlag } from "./_dataset_flags.ts";
import {
  DEVICE_FLAGS,
  type DeviceChoice,
  deviceChoice,
} from "./_device_flags.ts";

/** The flag of every command that takes a run. */
export const CHECKPOINT_FLAG = {
  type: "string",
  help: "a checkpoint, a run's folder or name, or a pretrained network's name",
  default: "the newest run",
  placeholder: "RUN",
} as const satisfies Flag;

/** The flag that takes a run's last checkpoint in place of its best. */
export const LAST_FLAG = {
  type: "boolean",
  help: "the run's last network, not the best by its validation",
} as const satisfies Flag;

/** The same for commands that look at photographs too. */
export const PHOTOGRAPHER_FLAG = {
  ...CHECKPOINT_FLAG,
  default: "the newest run; of photographs, one that sees in colours, else a " +
    "pretrained network",
} as const satisfies Flag;

/** Flags of every command that runs a trained network on a data set. */
export const NETWORK_FLAGS = {
  checkpoint: CHECKPOINT_FLAG,
  last: LAST_FLAG,
  ...datasetFlags({
    help: "the data set",
    default: "the run's",
    folder: "the run's, or data/NAME",
  }),
  split: splitFlag("test"),
  ...DEVICE_FLAGS,
} as const satisfies Record<string, Flag>;

/** A trained network, and the images it is to see. */
export interface NetworkChoice {
  /** A checkpoint, a run's folder or name; the newest run if undefined. */
  checkpoint: string | undefined;
  /** Whether the run's last network is taken, not its best. */
  last: boolean;
  device: DeviceChoice;
  /** What is not named is as the run has it. */
  dataset: Partial<Pick<DatasetConfig, "name" | "folder">>;
  split: SplitName;
}

/** The network and the images that flags name. */
export function networkChoice(
  flags: FlagValues<typeof NETWORK_FLAGS> & { debug?: boolean },
): NetworkChoice {
  return {
    checkpoint: flags.checkpoint,
    last: flags.last,
    device: deviceChoice(flags),
    dataset: {
      ...(flags.dataset === undefined ? {} : { name: flags.dataset }),
      ...folderOf(flags["data-dir"]),
    },
    split: (flags.split ?? "test") as SplitName,
  };
}
