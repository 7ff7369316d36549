import { balancedWeights } from "../data/_balanced_weights.ts";
import { mixes } from "../data/augment/mix.ts";
import type { Augmentation } from "../data/augment/augmentation.ts";
import { BatchLoader, type BatchLoaderOptions } from "../data/batch_loader.ts";
import { checkDataset } from "../data/check_dataset.ts";
import type { Dataset } from "../data/dataset.ts";
import { partOf } from "../data/part_of.ts";
import type { Communicator } from "../device/communicator.ts";
import { GapcamError } from "../error.ts";
import { perChannel } from "../nn/_per_channel.ts";
import { isWithin } from "../nn/_groups.ts";
import { outputsOf, trunkNames } from "../nn/classifier_of.ts";
import type { ImageOptions, Network } from "../nn/network.ts";
import { TrainingProgram } from "../nn/training_program.ts";
import { optimiserOf } from "./optimiser_of.ts";
import type { TrainingConfig } from "./training_config.ts";

/**
 * A configuration as a checkpoint keeps it: with a mean and a deviation for
 * each channel, so that whoever reads it need not know the data.
 */
export function configFor(
  dataset: Dataset,
  config: TrainingConfig,
): TrainingConfig {
  return {
    ...config,
    mean: perChannel(config.mean, dataset.channels),
    deviation: perChannel(config.deviation, dataset.channels),
  };
}

/** The batches that a network is trained on. */
export function trainingLoader(
  network: Network,
  dataset: Dataset,
  config: TrainingConfig,
  communicator?: Communicator,
): BatchLoader {
  checkDataset(dataset, { leastClasses: 2 });
  assertClasses(network, dataset);
  assertLoss(dataset, config);
  return new BatchLoader(dataset, {
    ...orderOptions(network, config, communicator),
    augmentation: augmentationOf(config),
    mixing: config,
  });
}

/** How images are cut into batches, whatever is done to them. */
export function orderOptions(
  network: Network,
  config: TrainingConfig,
  communicator?: Communicator,
): BatchLoaderOptions {
  const normalises = network.graph.nodes.some(({ name, layer }) =>
    layer.kind === "batchNorm2d" &&
    !config.freeze.some((prefix) => isWithin(name, prefix))
  );
  return {
    // One step's, which the program cuts.
    batchSize: config.batchSize * config.accumulate,
    shuffle: true,
    balance: config.balance,
    seed: config.seed,
    targets: config.loss === "binary",
    // Padding must not enter the statistics of a batch.
    dropLast: normalises,
    ...(communicator ? { part: communicator } : {}),
  };
}

/** The random changes that a configuration describes. */
export function augmentationOf(config: TrainingConfig): Augmentation {
  return {
    ...config.augmentation,
    horizontalFlip: config.flip,
    randomCrop: config.crop,
    // What is covered says nothing: it is 0 where the network begins.
    fill: config.mean.map((mean) =>
      Math.round(255 * Math.min(1, Math.max(0, mean)))
    ),
  };
}

/**
 * Compiles the training step that a configuration describes.
 *
 * @param options `freeze`: what stays as it is, where that is not what the
 * configuration says; `features`: the form of features that it takes in place
 * of images.
 */
export async function trainingProgram(
  network: Network,
  dataset: Dataset,
  config: TrainingConfig,
  options: {
    freeze?: readonly string[];
    features?: ImageOptions["image"] | undefined;
    communicator?: Communicator | undefined;
  } = {},
): Promise<TrainingProgram> {
  const { imageSize, mean, deviation, trunkRate } = config;
  const { freeze = config.freeze, features, communicator } = options;
  return await TrainingProgram.compile(network, {
    batchSize: communicator
      ? batchOfRank(config, communicator)
      : config.batchSize,
    image: features ?? dataset,
    features: features !== undefined,
    inputSize: { height: imageSize, width: imageSize },
    mean,
    deviation,
    optimiser: optimiserOf(config),
    loss: config.loss,
    targets: mixes(config),
    ...weightsFor(dataset, config),
    labelSmoothing: config.labelSmoothing,
    ...(config.clipNorm > 0 ? { clipNorm: config.clipNorm } : {}),
    accumulate: config.accumulate,
    seed: config.seed,
    freeze,
    ...(trunkRate === 1 ? {} : {
      groups: trunkNames(network.graph)
        .map((prefix) => ({ prefix, factor: trunkRate })),
    }),
    weightDecayOn: config.weightDecayOn,
    syncBatchNorm: config.syncBatchNorm,
    reduce: config.reduce,
    ...(communicator ? { communicator } : {}),
  });
}

/** How many images a rank's program takes at once, of the batches of a step. */
function batchOfRank(
  { batchSize, accumulate }: TrainingConfig,
  communicator: Communicator,
): number {
  const { count } = partOf(batchSize * accumulate, communicator);
  return Math.ceil(count / accumulate);
}

function assertClasses(network: Network, dataset: Dataset): void {
  const outputs = outputsOf(network.graph);
  if (outputs === undefined || outputs === dataset.classes.length) return;
  throw new GapcamError(
    "shape-mismatch",
    `Cannot train on ${dataset.name}: it has ${dataset.classes.length} ` +
      `classes, the model ${outputs}`,
  );
}

/** Refuses what images with several labels cannot be trained with. */
function assertLoss(dataset: Dataset, config: TrainingConfig): void {
  if (!dataset.targets) return;
  const found = config.loss !== "binary"
    ? [`the loss ${config.loss}`, "binary, a sigmoid for each class"]
    : mixes(config)
    ? [config.mixup > 0 ? "mixup" : "cutmix", "none: shares of labels add up"]
    : config.balance
    ? ["balance", "weights of classes"]
    : undefined;
  if (!found) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot train on ${dataset.name}, which has several labels an image, with ` +
      `${found[0]}: expected ${found[1]}`,
  );
}

/** The factors of a configuration for the classes that there are. */
function weightsFor(
  dataset: Dataset,
  config: TrainingConfig,
): { classWeights?: number[] } {
  const { classWeights } = config;
  if (classWeights === "balanced") {
    return {
      classWeights: balancedWeights(dataset, {
        binary: config.loss === "binary",
      }),
    };
  }
  if (classWeights.length === 0) return {};
  const { length } = dataset.classes;
  if (classWeights.length === length) return { classWeights };
  throw new GapcamError(
    "invalid-argument",
    `Cannot weight the classes of ${dataset.name}: found ` +
      `${classWeights.length} weights, expected ${length}`,
  );
}
