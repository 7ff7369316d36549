import { GapcamError } from "../error.ts";
import { topClasses } from "../cam/_wording.ts";
import { probabilitiesOf } from "../cam/probabilities_of.ts";
import type { Dataset } from "../data/dataset.ts";
import {
  PHOTOGRAPH_FITS,
  type PhotographFit,
} from "../image/fit_photograph.ts";
import type { Preprocessing } from "../image/preprocessing.ts";
import { imageChannels } from "../nn/_image_channels.ts";
import { KeptPrograms } from "../nn/_kept_programs.ts";
import { InferenceProgram } from "../nn/inference_program.ts";
import type { Network } from "../nn/network.ts";
import { strideOf } from "../nn/stride_of.ts";
import {
  type ReadBatch,
  readDataset,
  readFiles,
  readWhole,
} from "./_read_ahead.ts";

/** Options of {@linkcode predict}. */
export interface PredictOptions {
  /** What the network expects. */
  preprocessing: Preprocessing;
  /** How many of the likeliest classes are listed, from 1. Default: 5. */
  top?: number;
  /** See {@linkcode probabilitiesOf}. Default: false. */
  eachClass?: boolean;
  /** Images at once. Default: 32. */
  batchSize?: number;
  /** Threads that decode files. Default: as many as there are cores, at most 8. */
  workers?: number;
  /** How a photograph is shown to the network. Default: `crop`. */
  fit?: PhotographFit;
  /** What transparent pixels are laid on. Default: white. */
  background?: readonly [number, number, number];
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
    /** In `[0, 1]`. */
    readonly probability: number;
  }[];
  /** Of all classes; see {@linkcode probabilitiesOf}. */
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
  const { fit = "crop" } = options;
  assertFit(fit);
  const dataset = isDataset(source) ? source : undefined;
  const channels = dataset?.channels ?? channelsOf(network);
  // Photographs that keep their proportions come one by one.
  const most = fit === "whole" && !dataset
    ? 1
    : Math.min(batchSize, source.length);
  using programs = new KeptPrograms((size) =>
    InferenceProgram.compile(network, {
      batchSize: most,
      image: { ...size, channels },
      inputSize: dataset ? { height: imageSize, width: imageSize } : size,
      mean,
      deviation,
    })
  );
  for await (
    const batch of batchesOf(network, source, { most, options, channels })
  ) {
    signal?.throwIfAborted();
    yield* answersTo(batch, await programs.at(batch.size), {
      ...{ top, eachClass: options.eachClass ?? false },
    });
  }
}

/** The images in batches, each read while the one before it is answered. */
function batchesOf(
  network: Network,
  source: readonly string[] | Dataset,
  { most, options, channels }: {
    most: number;
    options: PredictOptions;
    channels: 1 | 3;
  },
): AsyncIterable<ReadBatch> {
  if (isDataset(source)) return readDataset(source, most);
  const { preprocessing, fit = "crop", workers } = options;
  const { background = [255, 255, 255] } = options;
  const file = { preprocessing, channels, background };
  if (fit === "whole") {
    return readWhole(source, { ...file, stride: strideOf(network.model) });
  }
  return readFiles(source, {
    ...file,
    fit,
    batchSize: most,
    workers: workers ?? Math.min(8, navigator.hardwareConcurrency),
  });
}

async function* answersTo(
  { images, pixels }: ReadBatch,
  program: InferenceProgram,
  { top, eachClass }: { top: number; eachClass: boolean },
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
    const probabilities = probabilitiesOf(logits, { eachClass });
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

function assertFit(fit: PhotographFit): void {
  if (PHOTOGRAPH_FITS.includes(fit)) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot predict with fit ${JSON.stringify(fit)}: expected one of ${
      PHOTOGRAPH_FITS.join(", ")
    }`,
  );
}
