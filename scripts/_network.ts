/**
 * From a checkpoint to a network on a device.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { DATASET_NAMES } from "../src/data/open_dataset.ts";
import type { Device } from "../src/device/device.ts";
import { openDevice } from "../src/device/open_device.ts";
import { Network } from "../src/nn/network.ts";
import type { Checkpoint, DatasetConfig } from "../src/train/checkpoint.ts";
import type { NetworkChoice } from "./_network_flags.ts";
import { openSplit } from "./_open_split.ts";
import { caveatOf, chosenRun, openCheckpoint, shownPath } from "./_runs.ts";

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

/**
 * Loads a chosen checkpoint onto the device that was chosen.
 *
 * @param options `photographs`: whether it is to look at photographs, for which
 * a network that sees in colours is taken where none is named.
 */
export async function openRun(
  choice: NetworkChoice,
  options: { photographs?: boolean } = {},
): Promise<OpenRun> {
  const { path, checkpoint } = await chosenRun<
    { path: string; checkpoint: Checkpoint }
  >(choice.checkpoint, {
    last: choice.last,
    load: async (path) => ({ path, checkpoint: await openCheckpoint(path) }),
    unwanted: ({ path, checkpoint }) =>
      checkpoint.progress.step === 0 ? caveatOf(path, checkpoint) : undefined,
    ...(options.photographs
      ? {
        seesColours: ({ checkpoint }) => checkpoint.training.mean.length === 3,
      }
      : {}),
  });
  const caveat = caveatOf(path, checkpoint);
  if (caveat) console.error(`note: ${shownPath(path)}: ${caveat}`);
  const { imageSize, mean, deviation } = checkpoint.training;
  using stack = new DisposableStack();
  const device = stack.use(
    openDevice(choice.device.kind, choice.device.options),
  );
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
 * Opens the images that a network is to see: the run's data set, or another
 * that was chosen.
 *
 * @throws {GapcamError} If the images are not what the network was trained on.
 */
export async function openImages(
  { dataset: { name, ...folder }, split }: NetworkChoice,
  checkpoint: Checkpoint,
  limit?: number,
): Promise<Dataset> {
  const other = name !== undefined && name !== checkpoint.dataset.name;
  const own = checkpoint.dataset.name;
  if (
    !other && checkpoint.progress.step === 0 &&
    !DATASET_NAMES.some((known) => known === own)
  ) {
    throw new GapcamError(
      "not-found",
      "Cannot show this network what it was trained on, which was elsewhere: " +
        "name photographs, or with --dataset images of the same classes",
    );
  }
  const config: DatasetConfig = {
    ...(other ? { name } : checkpoint.dataset),
    ...(other && name === "folder"
      ? { size: checkpoint.training.imageSize }
      : {}),
    ...folder,
  };
  const dataset = await openSplit(config, split, {
    ...checkpoint.training,
    limit,
  });
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
