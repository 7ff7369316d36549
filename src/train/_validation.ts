import { GapcamError } from "../error.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Communicator } from "../device/communicator.ts";
import { Network } from "../nn/network.ts";
import { Evaluator } from "./evaluate.ts";
import type { RunEventContent } from "./run_event.ts";
import type { Trainer } from "./trainer.ts";
import type { TrainingConfig } from "./training_config.ts";
import type { BestEpoch, ValidationProgress } from "./validation_progress.ts";

/** Of so many classes at most the log holds each epoch's confusion matrix. */
const MOST_LOGGED = 100;

/** Judges a network after each epoch, and knows which was the best. */
export class Validation implements Disposable {
  readonly #trainer: Trainer;
  /** What is judged: the trainer's network, or one of averages. */
  readonly #network: Network;
  readonly #evaluator: Evaluator;
  #progress: ValidationProgress;

  private constructor(parts: {
    trainer: Trainer;
    network: Network;
    evaluator: Evaluator;
    progress: ValidationProgress;
  }) {
    this.#trainer = parts.trainer;
    this.#network = parts.network;
    this.#evaluator = parts.evaluator;
    this.#progress = parts.progress;
  }

  /**
   * Compiles the network for the images; averages of it, where they are kept.
   *
   * @param trainer Whose network is judged.
   * @param dataset By what.
   * @param options How far validation has come.
   */
  static async create(
    trainer: Trainer,
    dataset: Dataset,
    options: { progress?: ValidationProgress; communicator?: Communicator } =
      {},
  ): Promise<Validation> {
    const { averages } = trainer;
    const { batchSize, imageSize, mean, deviation } = trainer.config;
    const { device, model } = trainer.network;
    using stack = new DisposableStack();
    const network = averages
      ? stack.use(new Network(device, model, { state: averages }))
      : trainer.network;
    const { communicator } = options;
    const evaluator = await Evaluator.create(network, dataset, {
      batchSize,
      ...(communicator ? { communicator } : {}),
      inputSize: { height: imageSize, width: imageSize },
      mean,
      deviation,
    });
    stack.move();
    const progress = structuredClone(options.progress) ?? { epochs: 0 };
    return new Validation({ trainer, network, evaluator, progress });
  }

  /** How far it has come. */
  get progress(): ValidationProgress {
    return structuredClone(this.#progress);
  }

  /** Whether nothing has become better for longer than patience lasts. */
  get exhausted(): boolean {
    const { patience } = this.#trainer.config;
    const { epochs, best } = this.#progress;
    return patience > 0 && best !== undefined &&
      epochs - best.epoch >= patience;
  }

  /**
   * Judges the network as it is.
   *
   * @param epoch Epochs that are done.
   * @param step Steps that are done.
   * @param options When to stop, by throwing the signal's reason, and what is
   * told of the images done.
   */
  async run(
    epoch: number,
    step: number,
    options: {
      signal: AbortSignal;
      onProgress?: (done: number) => unknown;
    },
  ): Promise<Extract<RunEventContent, { event: "validation" }>> {
    const start = performance.now();
    const { averages } = this.#trainer;
    if (averages) this.#network.load(averages);
    const evaluation = await this.#evaluator.run({
      ...options,
      flips: this.#trainer.config.testFlips,
    });
    const { images, loss, accuracy, top5 = 0 } = evaluation;
    const found: BestEpoch = {
      epoch,
      step,
      // A checkpoint keeps it as JSON, which knows no other numbers.
      loss: Math.min(Number.isNaN(loss) ? Infinity : loss, Number.MAX_VALUE),
      accuracy,
      top5,
    };
    const best = this.#isBetter(found);
    this.#progress = {
      epochs: epoch,
      ...(best
        ? { best: found }
        : this.#progress.best
        ? { best: this.#progress.best }
        : {}),
    };
    return {
      event: "validation",
      ...{ epoch, step, images, loss, accuracy, top5, best },
      ...(evaluation.classes.length <= MOST_LOGGED &&
          evaluation.confusion.length > 0
        ? {
          classes: evaluation.classes.map(({ name }) => name),
          confusion: evaluation.confusion,
        }
        : {}),
      seconds: (performance.now() - start) / 1000,
    };
  }

  /** Frees the program and averages; the trainer's network stays. */
  [Symbol.dispose](): void {
    this.#evaluator[Symbol.dispose]();
    if (this.#network !== this.#trainer.network) {
      this.#network[Symbol.dispose]();
    }
  }

  /** The earlier of two that are as good stays: it was trained for less long. */
  #isBetter(found: BestEpoch): boolean {
    const { best } = this.#progress;
    if (!best) return true;
    return this.#trainer.config.bestBy === "loss"
      ? found.loss < best.loss
      : found.accuracy > best.accuracy;
  }
}

/** Refuses patience without anything to be patient with. */
export function assertPatience(
  config: TrainingConfig,
  validation: Dataset | undefined,
): void {
  if (config.patience === 0 || validation) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot train with a patience of ${config.patience} epochs: found no ` +
      "images to validate on, expected some that are held out",
  );
}
