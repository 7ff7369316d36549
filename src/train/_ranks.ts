import type { Dataset } from "../data/dataset.ts";
import { partOf } from "../data/part_of.ts";
import { subset } from "../data/subset.ts";
import { ABI_VERSION } from "../device/_symbols.ts";
import type { Communicator } from "../device/communicator.ts";
import { nodeCrypto } from "../_node.ts";
import { GapcamError } from "../error.ts";
import type { Network } from "../nn/network.ts";
import type { TrainOptions } from "./train_options.ts";
import type { TrainingConfig } from "./training_config.ts";

/** Whether to stop: at a signal or, of several ranks, at that of one of them. */
export async function stops(
  signal: AbortSignal,
  communicator: Communicator | undefined,
): Promise<boolean> {
  if (!communicator) return signal.aborted;
  const wishes = await communicator.gather(
    Float64Array.of(Number(signal.aborted)),
  );
  return wishes.some(([wish]) => wish !== 0);
}

/**
 * Compiles on one rank of a host after the other: what is timed meanwhile is not
 * disturbed, and the next takes what the one before it has chosen.
 */
export async function inTurns<Result>(
  communicator: Communicator | undefined,
  compile: () => Promise<Result>,
): Promise<Result> {
  if (!communicator) return await compile();
  const { localRank, localSize } = communicator.description;
  const sizes = await communicator.gather(Float64Array.of(localSize));
  const turns = Math.max(...sizes.map(([size]) => size!));
  let result: Result | undefined;
  for (let turn = 0; turn < turns; turn++) {
    if (turn === localRank) result = await compile();
    await communicator.barrier();
  }
  return result!;
}

/** A rank's part of the images of a data set; perhaps none. */
export function partOfDataset(
  dataset: Dataset,
  communicator: Communicator,
): Dataset {
  const { first, count } = partOf(dataset.length, communicator);
  return subset(dataset, Array.from({ length: count }, (_, i) => first + i));
}

/**
 * Refuses ranks that would not train the same, and gives all of them rank 0's
 * parameters.
 *
 * @throws {GapcamError} If one has other code, another configuration, model,
 * device or other data than rank 0.
 */
export async function alignRanks(
  network: Network,
  dataset: Dataset,
  options: TrainOptions & { communicator: Communicator },
): Promise<void> {
  const { communicator } = options;
  const [first, ...others] = await communicator.gatherValues(
    descriptionOf(network, dataset, options),
  );
  others.forEach((other, i) => {
    for (const [what, value] of Object.entries(first!)) {
      if (other[what] === value) continue;
      throw new GapcamError(
        "invalid-argument",
        `Cannot train on ${communicator.size} ranks: rank ${i + 1} has ` +
          `${other[what]} as ${what}, rank 0 ${value}; start all with the ` +
          "same code, flags and data",
      );
    }
  });
  await network.device.join(communicator);
  await shareParameters(network, communicator);
}

/** Gives all ranks the parameters and running statistics that one has. */
export async function shareParameters(
  network: Network,
  communicator: Communicator,
): Promise<void> {
  const state = network.state();
  for (const { data } of state.values()) {
    await communicator.broadcast(
      new Uint8Array(
        data.buffer as ArrayBuffer,
        data.byteOffset,
        data.byteLength,
      ),
    );
  }
  network.load(state);
}

/** What all ranks must agree in, for people. */
function descriptionOf(
  network: Network,
  dataset: Dataset,
  options: TrainOptions,
): Record<string, string> {
  const { config, validation, checkpoint, saveEvery } = options;
  const { backend, precision } = network.device;
  return {
    "gapcam's interface": `version ${ABI_VERSION}`,
    device: `${backend} with ${precision}`,
    model: `one of hash ${hashOf(JSON.stringify(network.model))}`,
    ...Object.fromEntries(
      Object.entries(config).map(([name, value]) => [
        name,
        JSON.stringify(value),
      ]),
    ),
    "training data": describeData(dataset),
    "validation data": validation ? describeData(validation) : "none",
    "step to begin at": String(checkpoint?.progress.step ?? 0),
    "steps between checkpoints": String(saveEvery ?? "none"),
  };
}

function describeData(dataset: Dataset): string {
  const { name, split, length, height, width, channels, classes } = dataset;
  const { buffer, byteOffset, byteLength } = dataset.labels;
  const labels = new Uint8Array(buffer, byteOffset, byteLength);
  return `${length} images of ${name} (${split}), ${height}x${width}x` +
    `${channels}, labels of hash ${hashOf(JSON.stringify(classes), labels)}`;
}

function hashOf(...parts: (string | Uint8Array)[]): string {
  const hash = nodeCrypto().createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, 12);
}

/** Refuses ranks without an image in a whole batch. */
export function assertRanks(
  config: TrainingConfig,
  communicator: Communicator | undefined,
): void {
  const { batchSize } = config;
  if (!communicator || communicator.size <= batchSize) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot train on ${communicator.size} ranks with batches of ${batchSize} ` +
      `images: expected one for each rank at least; use ${batchSize} ranks or ` +
      "a larger batch",
  );
}
