import { GapcamError } from "../error.ts";
import { checkDataset } from "../data/check_dataset.ts";
import { BatchLoader } from "../data/batch_loader.ts";
import type { Communicator } from "../device/communicator.ts";
import { mirrorImages } from "../data/augment/_mirror.ts";
import type { Dataset } from "../data/dataset.ts";
import { InferenceProgram } from "../nn/inference_program.ts";
import type { ImageOptions, Network } from "../nn/network.ts";
import { ClassCounts, gatherCounts, LabelCounts } from "./_counts.ts";
import type { Evaluation } from "./evaluation.ts";
import type { ImageAnswer } from "./image_answer.ts";
import { inTurns, partOfDataset } from "./_ranks.ts";

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions
  extends Pick<ImageOptions, "inputSize" | "mean" | "deviation"> {
  /** Images at once. Default: 64, or the whole split if it is smaller. */
  batchSize?: number;
  /**
   * Whether each image is shown mirrored as well, and both answers averaged: the
   * means of logits count (test-time flips). Default: false.
   */
  flips?: boolean;
  /** Aborting stops after the batch under way and throws the signal's reason. */
  signal?: AbortSignal;
  /**
   * What joins ranks that all evaluate the same: each looks at a part of the
   * images, and all have the result. Default: one process looks at all.
   */
  communicator?: Communicator;
  /** Called after each batch with the images done so far; waited for. */
  onProgress?: (done: number) => unknown;
  /**
   * Called with the answer to each image that has a label, in their order; of
   * several ranks, with those to its own.
   */
  onAnswer?: (answer: ImageAnswer) => void;
}

/**
 * Runs a network over every image of a split and compares with the labels.
 *
 * @param network A trained network.
 * @param dataset The split.
 * @param options What images are resized to and how they are normalised: the
 * same as while training.
 * @returns Accuracy of each class and the whole, and the confusion matrix; of
 * several labels an image how well each is told.
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
  using evaluator = await Evaluator.create(network, dataset, options);
  return await evaluator.run(options);
}

/** Options of one run over a split. */
type RunOptions = Pick<
  EvaluateOptions,
  "flips" | "signal" | "onProgress" | "onAnswer"
>;

/** A network compiled to be evaluated on a split, as often as wanted. */
export class Evaluator implements Disposable {
  readonly #program: InferenceProgram;
  readonly #dataset: Dataset;
  readonly #communicator: Communicator | undefined;

  private constructor(
    program: InferenceProgram,
    dataset: Dataset,
    communicator: Communicator | undefined,
  ) {
    this.#program = program;
    this.#dataset = dataset;
    this.#communicator = communicator;
  }

  /**
   * Compiles; see {@linkcode evaluate}.
   *
   * @throws {GapcamError} If the network and the data do not fit each other.
   */
  static async create(
    network: Network,
    dataset: Dataset,
    options: Omit<EvaluateOptions, keyof RunOptions> = {},
  ): Promise<Evaluator> {
    checkDataset(dataset);
    const { communicator } = options;
    const ranks = communicator?.size ?? 1;
    const batchSize = Math.ceil(
      Math.min(options.batchSize ?? 64, dataset.length) / ranks,
    );
    const { inputSize, mean, deviation } = options;
    using stack = new DisposableStack();
    const program = stack.use(
      await inTurns(communicator, () =>
        InferenceProgram.compile(network, {
          batchSize,
          image: dataset,
          ...(inputSize ? { inputSize } : {}),
          ...(mean ? { mean } : {}),
          ...(deviation ? { deviation } : {}),
        })),
    );
    if (program.classes !== dataset.classes.length) {
      throw new GapcamError(
        "shape-mismatch",
        `Cannot evaluate on ${dataset.name}: it has ` +
          `${dataset.classes.length} classes, the model ${program.classes}`,
      );
    }
    stack.move();
    return new Evaluator(program, dataset, communicator);
  }

  /** Runs over every image, with the parameters that the network has now. */
  async run(
    options: RunOptions = {},
  ): Promise<Evaluation> {
    const program = this.#program, communicator = this.#communicator;
    const { classes, batchSize } = program;
    const dataset = communicator
      ? partOfDataset(this.#dataset, communicator)
      : this.#dataset;
    const counts = dataset.targets
      ? new LabelCounts(this.#dataset)
      : new ClassCounts(this.#dataset);
    const ranks = communicator?.size ?? 1;
    let done = 0;
    let stopped = false;
    const loader = dataset.length > 0 &&
      new BatchLoader(dataset, {
        batchSize: Math.min(batchSize, dataset.length),
        targets: dataset.targets !== undefined,
      });
    for await (const batch of loader ? loader.epoch(0) : []) {
      stopped = options.signal?.aborted ?? false;
      if (stopped) break;
      const logits = await program.run(batch.images);
      if (options.flips) {
        const mirrored = batch.images.slice();
        mirrorImages(mirrored, dataset);
        const others = await program.run(mirrored);
        for (let i = 0; i < logits.length; i++) {
          logits[i] = (logits[i]! + others[i]!) / 2;
        }
      }
      for (let i = 0; i < batch.count; i++) {
        // An image that could not be read.
        if (batch.labels[i]! < 0) continue;
        const [start, end] = [i * classes, (i + 1) * classes];
        const answer = counts.count(
          logits.subarray(start, end),
          batch.labels[i]!,
          batch.targets?.subarray(start, end),
        );
        options.onAnswer?.({ index: batch.indices[i]!, ...answer });
      }
      done += batch.count;
      // Of several ranks the others are about as far.
      await options.onProgress?.(Math.min(done * ranks, this.#dataset.length));
    }
    if (communicator) {
      stopped = await gatherCounts(counts, communicator, stopped);
    }
    if (stopped) {
      throw options.signal?.aborted
        ? options.signal.reason
        : new DOMException("Another rank stopped", "AbortError");
    }
    return counts.evaluation();
  }

  /** Frees the program; the network stays. */
  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}
