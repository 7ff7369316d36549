import { augments } from "../data/augment/augmentation.ts";
import { mixes } from "../data/augment/mix.ts";
import { BatchLoader } from "../data/batch_loader.ts";
import type { Dataset } from "../data/dataset.ts";
import { learningOf } from "../nn/_groups.ts";
import { classifierOf } from "../nn/classifier_of.ts";
import { join } from "../nn/graph_of.ts";
import { PooledProgram } from "../nn/_pooled_program.ts";
import type { Network } from "../nn/network.ts";
import { augmentationOf } from "./_training_parts.ts";
import type { TrainingConfig } from "./training_config.ts";

/** Memory that features may take, in bytes. */
const MOST_BYTES = 2 ** 31;

/** What a run on features needs to know. */
export interface FeatureShape {
  readonly height: 1;
  /** Bytes of the features of an image. */
  readonly width: number;
  readonly channels: 1;
}

/**
 * What training is to see in place of images, where all but the linear layer
 * that decides is frozen and an image is the same in each epoch; undefined where
 * it must see images.
 */
export function featureShape(
  network: Network,
  dataset: Dataset,
  config: TrainingConfig,
): FeatureShape | undefined {
  const linear = classifierOf(network.graph)?.linear;
  const changes = augments(augmentationOf(config)) || mixes(config);
  if (!linear || changes) return undefined;
  const own = ["weight", "bias"].map((name) => join(linear.name, name));
  const alone = learningOf(network.parameters, config.freeze)
    .every(({ name }) => own.includes(name));
  const width = 4 * linear.layer.inputFeatures;
  if (!alone || dataset.length * width > MOST_BYTES) return undefined;
  return { height: 1, width, channels: 1 };
}

/** Options of {@linkcode computeFeatures}. */
export interface FeatureOptions {
  config: TrainingConfig;
  /** Aborting stops after the batch under way, with the signal's reason. */
  signal?: AbortSignal;
  /** Called with how many images are done; waited for. */
  onProgress?: (done: number) => unknown;
}

/**
 * Computes what global average pooling makes of each image.
 *
 * @returns A data set of it: an image is the bytes of its features.
 */
export async function computeFeatures(
  network: Network,
  dataset: Dataset,
  shape: FeatureShape,
  options: FeatureOptions,
): Promise<Dataset> {
  const { imageSize, mean, deviation, batchSize } = options.config;
  const loader = new BatchLoader(dataset, { batchSize });
  using program = await PooledProgram.compile(network, {
    batchSize,
    image: dataset,
    inputSize: { height: imageSize, width: imageSize },
    mean,
    deviation,
  });
  const bytes = new Uint8Array(dataset.length * shape.width);
  let done = 0;
  for await (const batch of loader.epoch(0)) {
    options.signal?.throwIfAborted();
    const features = await program.run(batch.images);
    const { buffer, byteOffset, byteLength } = features;
    bytes.set(
      new Uint8Array(buffer, byteOffset, byteLength),
      done * shape.width,
    );
    done += batch.count;
    await options.onProgress?.(done);
  }
  return {
    name: dataset.name,
    split: dataset.split,
    classes: dataset.classes,
    length: dataset.length,
    labels: dataset.labels,
    ...(dataset.targets ? { targets: dataset.targets } : {}),
    ...shape,
    read: (indices, target) => {
      for (let i = 0; i < indices.length; i++) {
        const from = indices[i]! * shape.width;
        target.set(
          bytes.subarray(from, from + shape.width),
          i * shape.width,
        );
      }
    },
  };
}
