import { GapcamError } from "../error.ts";
import { topClasses } from "../cam/_wording.ts";
import { probabilitiesOf } from "../cam/probabilities_of.ts";
import type { Dataset } from "../data/dataset.ts";
import { imageChannels } from "../nn/_image_channels.ts";
import { InferenceProgram } from "../nn/inference_program.ts";
import type { Network } from "../nn/network.ts";
import { type ReadBatch, readDataset, readFiles } from "./_read_ahead.ts";

/** What a network expects of images: `training` of its checkpoint says it. */
export interface Preprocessing {
  /** Height and width of what it looks at, in pixels. */
  readonly imageSize: number;
  /** Mean of each channel, or of all if it is one, of pixels in [0, 1]. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel, or of all. */
  readonly deviation: readonly number[];
}

/** Options of {@linkcode predict}. */
export interface PredictOptions {
  /** What the network expects. */
  preprocessing: Preprocessing;
  /** How many of the likeliest classes are listed, from 1. Default: 5. */
  top?: number;
  /** Images at once. Default: 32. */
  batchSize?: number;
  /** Threads that decode files. Default: as many as there are cores, at most 8. */
  workers?: number;
  /** How a photograph becomes a square. Default: `crop`. */
  fit?: "crop" | "stretch";
  /** Aborting stops after the batch under way and throws the signal's reason. */
  signal?: AbortSignal;
}

/** What a network says of one image. */
export interface Prediction {
  /** The file's path, or the image's number in the data set. */
  readonly image: string | number;
  /** The class that the data set says; left out of a file. */
  readonly label?: number;
  /** The likeliest classes, the likeliest first. */
  readonly top: readonly {
    /** Number of the class. */
    readonly index: number;
    /** Its softmax, in `[0, 1]`. */
    readonly probability: number;
  }[];
  /** The softmax of all logits. */
  readonly probabilities: Float32Array;
  /** What the device computed for each class. */
  readonly logits: Float32Array;
}

/** An image that could not be read. */
export interface UnreadableImage {
  /** The file's path, or the image's number in the data set. */
  readonly image: string | number;
  /** One sentence. */
  readonly reason: string;
}

/**
 * Says what a network holds images for: pictures of any size from files, or all
 * images of a data set. Files are decoded on threads of their own, in batches,
 * ahead of the device.
 *
 * @param network A network with one logit for each class.
 * @param source Paths of pictures, or a data set.
 * @param options What the network expects, how many classes are listed, batches.
 * @returns In order, what the network says of each image, or why it could not
 * be read (`"reason" in one`).
 * @throws {GapcamError} If an option is out of range, the images do not fit the
 * network, or a logit is not finite.
 *
 * @example A data set's images
 * ```ts
 * import {
 *   Network, openDevice, predict, type Prediction, shapesDataset,
 *   trainingConfig, vgg,
 * } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
 * const shapes = shapesDataset("test", { size: 16, length: 3 });
 * const preprocessing = trainingConfig({ imageSize: 16 });
 * for await (const one of predict(network, shapes, { preprocessing, top: 1 })) {
 *   if ("reason" in one) throw new Error(one.reason);
 *   const [{ index, probability }] = one.top as [Prediction["top"][number]];
 *   if (!(shapes.classes[index] && probability >= 0.1)) throw new Error();
 * }
 * ```
 */
export async function* predict(
  network: Network,
  source: readonly string[] | Dataset,
  options: PredictOptions,
): AsyncGenerator<Prediction | UnreadableImage, void, void> {
  const { top = 5, batchSize = 32, signal, preprocessing } = options;
  assertCount("top", top);
  assertCount("batchSize", batchSize);
  if (source.length === 0) return;
  const { imageSize, mean, deviation } = preprocessing;
  const size = { height: imageSize, width: imageSize };
  const dataset = isDataset(source) ? source : undefined;
  const channels = dataset?.channels ?? channelsOf(network);
  const most = Math.min(batchSize, source.length);
  using program = await InferenceProgram.compile(network, {
    batchSize: most,
    image: dataset ?? { ...size, channels },
    inputSize: size,
    mean,
    deviation,
  });
  const batches = isDataset(source)
    ? readDataset(source, most)
    : readFiles(source, {
      imageSize,
      channels,
      batchSize: most,
      workers: options.workers ?? Math.min(8, navigator.hardwareConcurrency),
      fit: options.fit ?? "crop",
    });
  for await (const batch of batches) {
    signal?.throwIfAborted();
    yield* answersTo(batch, program, top);
  }
}

async function* answersTo(
  { images, pixels }: ReadBatch,
  program: InferenceProgram,
  top: number,
): AsyncGenerator<Prediction | UnreadableImage, void, void> {
  // A batch of nothing but damaged files is not worth a run.
  const none = images.every(({ reason }) => reason !== undefined);
  const all = none ? new Float32Array() : await program.run(pixels);
  for (const [i, { image, label, reason }] of images.entries()) {
    if (reason !== undefined) {
      yield { image, reason };
      continue;
    }
    const logits = all.slice(i * program.classes, (i + 1) * program.classes);
    const probabilities = probabilitiesOf(logits);
    yield {
      image,
      ...(label === undefined ? {} : { label }),
      top: topClasses(probabilities, top),
      probabilities,
      logits,
    };
  }
}

function isDataset(source: readonly string[] | Dataset): source is Dataset {
  return !Array.isArray(source);
}

function channelsOf(network: Network): 1 | 3 {
  const channels = imageChannels(network.graph) ?? 3;
  if (channels === 1 || channels === 3) return channels;
  throw new GapcamError(
    "unsupported",
    `Cannot show files to the network: it takes images of ${channels} ` +
      "channels, expected 1 or 3",
  );
}

function assertCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot predict with ${name} ${value}: expected a whole number from 1`,
  );
}
