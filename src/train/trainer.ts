import { GapcamError } from "../error.ts";
import { definedOf } from "../_defined_of.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Communicator } from "../device/communicator.ts";
import type { Network } from "../nn/network.ts";
import type { StateDict } from "../host_tensor.ts";
import {
  noTotals,
  type StepTotals,
  type TrainingProgress,
} from "./checkpoint.ts";
import { divergenceError, LARGEST_LOSS } from "./divergence.ts";
import type { EpochOptions, StepReport } from "./epoch_options.ts";
import { Phases } from "./_phases.ts";
import { configFor } from "./_training_parts.ts";
import { WeightAverage } from "./_weight_average.ts";
import { assertRanks } from "./_ranks.ts";
import type { TrainingConfig } from "./training_config.ts";

/**
 * Trains a network, step by step, on batches of a data set. It writes nothing:
 * {@linkcode train} adds the run's folder, its log and its checkpoints.
 */
export class Trainer implements Disposable {
  /** What is trained. */
  readonly network: Network;
  /** How. */
  readonly config: TrainingConfig;
  readonly #phases: Phases;
  readonly #readEvery: number;
  readonly #average: WeightAverage | undefined;
  // What joins this rank with others.
  readonly #communicator: Communicator | undefined;
  #stopped = false;
  #progress: TrainingProgress;

  private constructor(parts: {
    network: Network;
    config: TrainingConfig;
    phases: Phases;
    progress: TrainingProgress;
    average: WeightAverage | undefined;
    communicator: Communicator | undefined;
  }) {
    this.network = parts.network;
    this.config = parts.config;
    this.#phases = parts.phases;
    this.#progress = parts.progress;
    this.#average = parts.average;
    this.#communicator = parts.communicator;
    // Reading a loss waits for its step, which stalls what runs beside us.
    this.#readEvery = parts.network.device.asynchronous
      ? parts.config.logEvery
      : 1;
  }

  /**
   * Compiles the training step.
   *
   * @param network What to train.
   * @param dataset On what; its images are resized to `config.imageSize`.
   * @param options How, and from where: the optimiser's tensors, the averages
   * and the progress of a checkpoint go on with its run. `communicator`: what
   * joins the ranks that all train the network, each on its part of a batch.
   * @throws {GapcamError} If the model, the data and the configuration do not
   * fit each other, or memory runs out.
   *
   * @example
   * ```ts
   * import {
   *   Network, openDevice, shapesDataset, Trainer, trainingConfig, vgg,
   * } from "@gapcam/gapcam";
   *
   * using device = openDevice("cpu", { threads: 1 });
   * using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
   * using trainer = await Trainer.create(
   *   network,
   *   shapesDataset("train", { size: 16, length: 40 }),
   *   { config: trainingConfig({ imageSize: 16, batchSize: 20 }) },
   * );
   * const report = await trainer.runEpoch();
   * if (report?.totalSteps !== 2) throw new Error("expected two steps");
   * ```
   */
  static async create(
    network: Network,
    dataset: Dataset,
    options: {
      config: TrainingConfig;
      optimiserState?: StateDict;
      averages?: StateDict;
      progress?: TrainingProgress;
      communicator?: Communicator;
    },
  ): Promise<Trainer> {
    const config = configFor(dataset, options.config);
    const { communicator } = options;
    assertRanks(config, communicator);
    const progress = structuredClone(options.progress) ?? {
      epoch: 0,
      batch: 0,
      step: 0,
      epochTotals: noTotals(),
      intervalTotals: noTotals(),
    };
    using stack = new DisposableStack();
    const phases = stack.use(
      await Phases.create(network, dataset, {
        config,
        progress,
        optimiserState: options.optimiserState,
        communicator,
      }),
    );
    const { steps } = phases.loader;
    if (progress.step !== progress.epoch * steps + progress.batch) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot go on training after ${progress.step} steps: that is not ` +
          `${progress.epoch} epochs of ${steps} steps and ` +
          `${progress.batch} steps; use the data and the batch size of the run`,
      );
    }
    const { emaDecay: decay } = config;
    const start = { decay, average: options.averages };
    const average = decay > 0
      ? stack.use(await WeightAverage.create(network, start))
      : undefined;
    const trainer = new Trainer({
      ...{ network, config, phases, progress, average, communicator },
    });
    stack.move();
    return trainer;
  }

  /** Steps an epoch. */
  get stepsPerEpoch(): number {
    return this.#phases.loader.steps;
  }

  /** How far training has come. */
  get progress(): TrainingProgress {
    return structuredClone(this.#progress);
  }

  /** The last step's gradients; see {@linkcode TrainingProgram.gradients}. */
  gradients(): StateDict {
    return this.#phases.program.gradients();
  }

  /** The optimiser's tensors; see {@linkcode TrainingProgram.optimiserState}. */
  optimiserState(): StateDict {
    return this.#phases.program.optimiserState();
  }

  /**
   * Copies of the moving averages of parameters and running statistics;
   * undefined unless the configuration asks for them.
   */
  get averages(): StateDict | undefined {
    return this.#average?.state();
  }

  /**
   * Trains to the end of the epoch under way.
   *
   * @returns What the epoch came to; undefined if the signal stopped it before
   * its end, and the next call goes on from there.
   * @throws {GapcamError} If the loss is not finite or above 1000.
   */
  async runEpoch(options: EpochOptions = {}): Promise<StepReport | undefined> {
    const { signal, saveEvery = Infinity } = options;
    const progress = this.#progress;
    const { logEvery } = this.config;
    const phases = this.#phases;
    try {
      await phases.enter(
        progress.epoch,
        definedOf({
          // Ranks stop together, at a step.
          signal: this.#communicator ? undefined : signal,
          onProgress: options.onFeatures,
        }),
      );
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return undefined;
      throw error;
    }
    const stepsPerEpoch = phases.loader.steps;
    let rate = phases.rateAt(progress.step);
    const batches = phases.loader.epoch(progress.epoch, {
      startStep: progress.batch,
    });
    for await (const batch of batches) {
      rate = phases.rateAt(progress.step);
      const labels = batch.targets ?? batch.labels;
      await phases.program.step(batch.images, labels, {
        learningRate: rate,
        firstImage: batch.first,
        stop: signal?.aborted ?? false,
      });
      progress.batch++;
      progress.step++;
      this.#average?.update(progress.step);
      const last = progress.batch === stepsPerEpoch;
      const saves = progress.step % saveEvery === 0 && !last;
      if (
        progress.batch % logEvery === 0 || last || saves ||
        this.#stops(signal) ||
        progress.batch % this.#readEvery === 0
      ) this.#count();
      await options.onStep?.({
        ...this.#report(progress.intervalTotals, rate),
        images: batch.whole,
      });
      if (progress.batch % logEvery === 0) {
        const report = this.#report(progress.intervalTotals, rate);
        progress.intervalTotals = noTotals();
        await options.onInterval?.(report);
      }
      if (this.#stops(signal)) {
        // It may have come while a callback was waited for.
        this.#count();
        break;
      }
      if (saves) await options.onSave?.();
    }
    if (progress.batch < stepsPerEpoch) return undefined;
    const report = this.#report(progress.epochTotals, rate);
    this.#progress = {
      epoch: progress.epoch + 1,
      batch: 0,
      step: progress.step,
      epochTotals: noTotals(),
      intervalTotals: noTotals(),
    };
    return report;
  }

  /** Frees the training step; the network stays. */
  [Symbol.dispose](): void {
    this.#average?.[Symbol.dispose]();
    this.#phases[Symbol.dispose]();
  }

  /**
   * Whether to stop after this step: at a signal's wish or, of several ranks, as
   * soon as all know that one of them wishes to.
   */
  #stops(signal: AbortSignal | undefined): boolean {
    return this.#communicator ? this.#stopped : signal?.aborted ?? false;
  }

  /** Adds what the device counted since the last call to the totals. */
  #count(): void {
    const metrics = this.#phases.program.metrics({ reset: true });
    this.#stopped ||= metrics.stops > 0;
    const worst = metrics.notFinite > 0 ? NaN : metrics.largestLoss;
    if (!(worst <= LARGEST_LOSS)) {
      throw divergenceError(
        metrics.notFinite > 0 && !Number.isFinite(metrics.lastLoss)
          ? metrics.lastLoss
          : worst,
        {
          epoch: this.#progress.epoch + 1,
          step: this.#progress.batch,
          parameters: this.network.state(),
          gradients: this.#phases.program.gradients(),
        },
      );
    }
    for (
      const totals of [
        this.#progress.epochTotals,
        this.#progress.intervalTotals,
      ]
    ) {
      totals.lossSum += metrics.lossSum;
      totals.steps += metrics.steps;
      totals.correct += metrics.correct;
      totals.images += metrics.images;
    }
  }

  #report(totals: StepTotals, learningRate: number): StepReport {
    return {
      epoch: this.#progress.epoch + 1,
      step: this.#progress.batch,
      stepsPerEpoch: this.#phases.loader.steps,
      totalSteps: this.#progress.step,
      loss: totals.lossSum / Math.max(1, totals.steps),
      accuracy: totals.correct / Math.max(1, totals.images),
      learningRate,
    };
  }
}
