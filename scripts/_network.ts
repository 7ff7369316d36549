/**
 * From a checkpoint to a network on a device.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { DATASET_NAMES } from "../src/data/open_dataset.ts";
import type { Device } from "../src/device/device.ts";
import type { DeviceKind, Precision } from "../src/device/device_options.ts";
import { openDevice } from "../src/device/open_device.ts";
import { Network } from "../src/nn/network.ts";
import type { Checkpoint, DatasetConfig } from "../src/train/checkpoint.ts";
import type { Flag, FlagValues } from "./_command.ts";
import { caveatOf, chosenRun, openCheckpoint, shownPath } from "./_runs.ts";
import { DEVICE_FLAGS } from "./_train_flags.ts";
import { folderOf, openSplit } from "./_open_split.ts";

/** Flags of every command that runs a trained network on a data set. */
export const NETWORK_FLAGS = {
  checkpoint: {
    type: "string",
    help: "a checkpoint, a run's folder or name",
    default: "the newest run",
    placeholder: "RUN",
  },
  dataset: {
    type: "string",
    choices: DATASET_NAMES,
    help: "the data set",
    default: "the run's",
    placeholder: "NAME",
  },
  "data-dir": {
    type: "string",
    help: "folder of the data set",
    default: "the run's, or data/NAME",
    placeholder: "FOLDER",
  },
  split: {
    type: "string",
    choices: ["train", "test"],
    help: "which images",
    default: "test",
    placeholder: "SPLIT",
  },
  ...DEVICE_FLAGS,
} as const satisfies Record<string, Flag>;

/** Values of {@linkcode NETWORK_FLAGS}. */
export type NetworkFlags = FlagValues<typeof NETWORK_FLAGS>;

/** A network that is ready to run. */
export interface OpenRun extends Disposable {
  /** Path of the checkpoint. */
  path: string;
  checkpoint: Checkpoint;
  device: Device;
  network: Network;
  /** How its images are resized and normalised. */
  input: {
    inputSize: { height: number; width: number };
    mean: number[];
    deviation: number[];
  };
}

/** Opens the device that flags name; with `debug` it waits after each step. */
export function chosenDevice(
  flags: {
    device?: string;
    "device-index"?: number;
    precision?: string;
    threads?: number;
    debug?: boolean;
  },
): Device {
  return openDevice((flags.device ?? "auto") as DeviceKind, {
    index: flags["device-index"] ?? 0,
    synchronous: flags.debug ?? false,
    ...(flags.precision ? { precision: flags.precision as Precision } : {}),
    ...(flags.threads ? { threads: flags.threads } : {}),
  });
}

/** Loads the checkpoint that flags name onto the device that they name. */
export async function openRun(
  flags: NetworkFlags & { debug?: boolean },
): Promise<OpenRun> {
  const { path, checkpoint } = await chosenRun(flags.checkpoint, {
    load: async (path) => ({ path, checkpoint: await openCheckpoint(path) }),
    unwanted: ({ path, checkpoint }) =>
      checkpoint.progress.step === 0 ? caveatOf(path, checkpoint) : undefined,
  });
  const caveat = caveatOf(path, checkpoint);
  if (caveat) console.error(`note: ${shownPath(path)}: ${caveat}`);
  const { imageSize, mean, deviation } = checkpoint.training;
  using stack = new DisposableStack();
  const device = stack.use(chosenDevice(flags));
  const network = stack.use(
    new Network(device, checkpoint.model, { state: checkpoint.parameters }),
  );
  const kept = stack.move();
  return {
    path,
    checkpoint,
    device,
    network,
    input: {
      inputSize: { height: imageSize, width: imageSize },
      mean,
      deviation,
    },
    [Symbol.dispose]: () => kept.dispose(),
  };
}

/**
 * Opens the images that a network is to see: the run's data set, or the one
 * that flags name.
 *
 * @throws {GapcamError} If the images are not what the network was trained on.
 */
export async function openImages(
  flags: NetworkFlags,
  checkpoint: Checkpoint,
  limit?: number,
): Promise<Dataset> {
  const other = flags.dataset !== undefined &&
    flags.dataset !== checkpoint.dataset.name;
  const config: DatasetConfig = {
    ...(other ? { name: flags.dataset! } : checkpoint.dataset),
    ...(other && flags.dataset === "folder"
      ? { size: checkpoint.training.imageSize }
      : {}),
    ...folderOf(flags["data-dir"]),
  };
  const split = (flags.split ?? "test") as "train" | "test";
  const dataset = await openSplit(config, split, limit);
  const { mean } = checkpoint.training;
  if (dataset.channels !== mean.length) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot show ${dataset.name} to this network: its images have ` +
        `${dataset.channels} channels, expected ${mean.length}`,
    );
  }
  if (dataset.classes.join("\n") !== checkpoint.classes.join("\n")) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot show ${dataset.name} to this network: its classes are ` +
        `${few(dataset.classes)}, expected ${few(checkpoint.classes)}`,
    );
  }
  return dataset;
}

function few(names: readonly string[]): string {
  return names.length <= 4
    ? names.join(", ")
    : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}
