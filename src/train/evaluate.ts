import { GapcamError } from "../error.ts";
import { checkDataset } from "../data/check_dataset.ts";
import { BatchLoader } from "../data/batch_loader.ts";
import type { Dataset } from "../data/dataset.ts";
import { InferenceProgram } from "../nn/inference_program.ts";
import type { ImageOptions, Network } from "../nn/network.ts";
import { type Evaluation, evaluationOf } from "./evaluation.ts";
import { indexOfGreatest } from "../_index_of_greatest.ts";

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions
  extends Pick<ImageOptions, "inputSize" | "mean" | "deviation"> {
  /** Images at once. Default: 64, or the whole split if it is smaller. */
  batchSize?: number;
  /** Aborting stops after the batch under way and throws the signal's reason. */
  signal?: AbortSignal;
  /** Called after each batch with the images done so far; waited for. */
  onProgress?: (done: number) => unknown;
}

/**
 * Runs a network over every image of a split and compares with the labels.
 *
 * @param network A trained network.
 * @param dataset The split.
 * @param options What images are resized to and how they are normalised: the
 * same as while training.
 * @returns Accuracy of each class and the whole, and the confusion matrix.
 * @throws {GapcamError} If the network and the data do not fit each other.
 *
 * @example
 * ```ts
 * import { evaluate, Network, openDevice, shapesDataset, vgg } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
 * const shapes = shapesDataset("test", { size: 16, length: 30 });
 * const evaluation = await evaluate(network, shapes);
 * if (evaluation.images !== 30) throw new Error("expected all images");
 * ```
 */
export async function evaluate(
  network: Network,
  dataset: Dataset,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkDataset(dataset);
  const batchSize = Math.min(options.batchSize ?? 64, dataset.length);
  const { inputSize, mean, deviation } = options;
  using program = await InferenceProgram.compile(network, {
    batchSize,
    image: dataset,
    ...(inputSize ? { inputSize } : {}),
    ...(mean ? { mean } : {}),
    ...(deviation ? { deviation } : {}),
  });
  const classes = program.classes;
  if (classes !== dataset.classes.length) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot evaluate on ${dataset.name}: it has ` +
        `${dataset.classes.length} classes, the model ${classes}`,
    );
  }
  const confusion = Array.from(
    { length: classes },
    () => new Array<number>(classes).fill(0),
  );
  let lossSum = 0;
  let done = 0;
  let known = 0;
  for await (const batch of new BatchLoader(dataset, { batchSize }).epoch(0)) {
    options.signal?.throwIfAborted();
    const logits = await program.run(batch.images);
    for (let i = 0; i < batch.count; i++) {
      const row = logits.subarray(i * classes, (i + 1) * classes);
      const label = batch.labels[i]!;
      // An image that could not be read.
      if (label < 0) continue;
      known++;
      confusion[label]![indexOfGreatest(row)]!++;
      lossSum += crossEntropyOf(row, label);
    }
    done += batch.count;
    await options.onProgress?.(done);
  }
  return evaluationOf(confusion, {
    classes: dataset.classes,
    dataset: dataset.name,
    split: dataset.split,
    loss: lossSum / Math.max(1, known),
  });
}

function crossEntropyOf(logits: Float32Array, label: number): number {
  const greatest = logits[indexOfGreatest(logits)]!;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - greatest);
  return Math.log(sum) + greatest - logits[label]!;
}
