import { mirrorImages } from "../data/augment/_mirror.ts";
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

/**
 * Features as an image that is mirrored by the same augmentation as those that
 * it stands for: one pixel, or beside it another of the mirrored image.
 */
export interface FeatureShape {
  readonly height: 1;
  readonly width: 1 | 2;
  /** Bytes of the features of an image. */
  readonly channels: Dataset["channels"];
}

/**
 * What training is to see in place of images, where all but the linear layer
 * that decides is frozen and an image is at most mirrored; undefined where it
 * must see images.
 */
export function featureShape(
  network: Network,
  dataset: Dataset,
  config: TrainingConfig,
): FeatureShape | undefined {
  const linear = classifierOf(network.graph)?.linear;
  const others = { ...augmentationOf(config), horizontalFlip: false };
  if (!linear || augments(others) || mixes(config)) return undefined;
  const own = ["weight", "bias"].map((name) => join(linear.name, name));
  const alone = learningOf(network.parameters, config.freeze)
    .every(({ name }) => own.includes(name));
  const width = config.flip ? 2 : 1;
  const channels = 4 * linear.layer.inputFeatures;
  if (!alone || dataset.length * width * channels > MOST_BYTES) {
    return undefined;
  }
  // Images have 1 or 3; these only pass where images do.
  return { height: 1, width, channels: channels as Dataset["channels"] };
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
  const { width, channels } = shape;
  const bytes = new Uint8Array(dataset.length * width * channels);
  let done = 0;
  for await (const { images, count } of loader.epoch(0)) {
    for (let place = 0; place < width; place++) {
      options.signal?.throwIfAborted();
      if (place > 0) mirrorImages(images, dataset);
      const { buffer, byteOffset } = await program.run(images);
      for (let i = 0; i < count; i++) {
        bytes.set(
          new Uint8Array(buffer, byteOffset + i * channels, channels),
          ((done + i) * width + place) * channels,
        );
      }
    }
    done += count;
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
      const size = width * channels;
      for (let i = 0; i < indices.length; i++) {
        const from = indices[i]! * size;
        target.set(bytes.subarray(from, from + size), i * size);
      }
    },
  };
}
