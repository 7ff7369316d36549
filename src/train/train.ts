import { GapcamError } from "../error.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Network } from "../nn/network.ts";
import { type Checkpoint, type DatasetConfig } from "./checkpoint.ts";
import { saveCheckpoint } from "./checkpoint_file.ts";
import { CHECKPOINT_NAME, createRunFolder, LOG_NAME } from "./run_folder.ts";
import { RunLog } from "./run_log.ts";
import { type StepReport, Trainer } from "./trainer.ts";
import type { TrainingConfig } from "./training_config.ts";

/** Options of {@linkcode train}. */
export interface TrainOptions {
  /** How to train. */
  config: TrainingConfig;
  /** The model's name, for the checkpoint. Default: `custom`. */
  modelName?: string;
  /** What to say of the data in the checkpoint. Default: the data set's name. */
  dataset?: DatasetConfig;
  /**
   * The run's folder, for its log and its checkpoint; nothing is written if it
   * is left out.
   */
  folder?: string;
  /** Goes on from here, in the folder of that run; the network is loaded from it. */
  checkpoint?: Checkpoint;
  /** Aborting finishes the step under way, saves and returns. */
  signal?: AbortSignal;
  /** Called once the training step is compiled. */
  onStart?: (run: { stepsPerEpoch: number; step: number }) => void;
  /** Called after every step, with the running mean since the last interval's end. */
  onStep?: (report: StepReport & { images: number }) => void;
  /** Called every `logEvery` steps, with the mean over them. */
  onInterval?: (report: StepReport & { imagesPerSecond: number }) => void;
  /** Called after every epoch, with the mean over it; its checkpoint is saved. */
  onEpoch?: (report: StepReport & { seconds: number }) => void;
}

/** What {@linkcode train} came to. */
export interface TrainResult {
  /** Whether all epochs are done; false after an abort. */
  finished: boolean;
  /** Epochs done. */
  epochs: number;
  /** Steps done, in all. */
  steps: number;
  /** Mean of the last whole epoch of this call; undefined if there was none. */
  lastEpoch: StepReport | undefined;
  /** The checkpoint's path; undefined without a folder. */
  checkpoint: string | undefined;
}

/**
 * Trains a network for `config.epochs` epochs. With a folder, a checkpoint is
 * saved before the first step, after every epoch and after an abort, and every
 * reported loss is logged; going on from a checkpoint gives the same bytes as a
 * run that was never cut.
 *
 * @param network What to train.
 * @param dataset On what.
 * @param options How.
 * @throws {GapcamError} If the parts do not fit each other, the folder cannot
 * be written or holds another run, or the loss is not finite or above
 * {@linkcode LARGEST_LOSS}; the last checkpoint is kept then.
 *
 * @example
 * ```ts
 * import { Network, openDevice, openShapes, train, trainingConfig, vgg } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
 * const shapes = openShapes("train", { size: 16, length: 40 });
 * const result = await train(network, shapes, {
 *   config: trainingConfig({ imageSize: 16, batchSize: 20, epochs: 2 }),
 * });
 * if (result.steps !== 4) throw new Error("expected four steps");
 * ```
 */
export async function train(
  network: Network,
  dataset: Dataset,
  options: TrainOptions,
): Promise<TrainResult> {
  const { config, folder, checkpoint, signal } = options;
  if (checkpoint) network.load(checkpoint.parameters);
  if (folder) createRunFolder(folder, { resume: checkpoint !== undefined });
  using trainer = await createTrainer(network, dataset, options);
  using log = folder ? new RunLog(`${folder}/${LOG_NAME}`) : undefined;
  const path = folder && `${folder}/${CHECKPOINT_NAME}`;
  const save = async () => {
    if (!path) return;
    await saveCheckpoint(path, checkpointOf(trainer, dataset, options));
  };
  log?.write({
    event: checkpoint ? "resume" : "start",
    model: options.modelName ?? "custom",
    dataset: options.dataset ?? { name: dataset.name },
    images: dataset.length,
    config,
    device: network.device.backend,
    precision: network.device.precision,
    stepsPerEpoch: trainer.stepsPerEpoch,
    step: trainer.progress.step,
  });
  // Now, so that a folder without room shows before an epoch was computed, and
  // a run that diverges at once leaves something to look at.
  if (!checkpoint) await save();
  options.onStart?.({
    stepsPerEpoch: trainer.stepsPerEpoch,
    step: trainer.progress.step,
  });
  let lastEpoch: StepReport | undefined;
  try {
    while (trainer.progress.epoch < config.epochs && !signal?.aborted) {
      const start = performance.now();
      const clock = new Clock(config.batchSize, trainer.progress.step);
      const report = await trainer.runEpoch({
        ...(signal ? { signal } : {}),
        ...(options.onStep ? { onStep: options.onStep } : {}),
        onInterval: (interval) => {
          const timed = {
            ...interval,
            imagesPerSecond: clock.rate(interval.totalSteps),
          };
          log?.write({ event: "interval", ...timed });
          options.onInterval?.(timed);
        },
      });
      if (!report) break;
      const timed = { ...report, seconds: (performance.now() - start) / 1000 };
      log?.write({ event: "epoch", ...timed });
      lastEpoch = report;
      await save();
      options.onEpoch?.(timed);
    }
  } catch (error) {
    if (error instanceof GapcamError && error.code === "diverged") {
      log?.write({ event: "diverged", message: error.message });
      if (!path) throw error;
      throw new GapcamError(
        "diverged",
        `${error.message}; the checkpoint of epoch ${savedEpoch(trainer)} is ` +
          `kept in ${path}`,
        { cause: error },
      );
    }
    throw error;
  }
  const progress = trainer.progress;
  const finished = progress.epoch >= config.epochs;
  if (!finished) {
    await save();
    log?.write({
      event: "stopped",
      epoch: progress.epoch,
      step: progress.step,
    });
  }
  return {
    finished,
    epochs: progress.epoch,
    steps: progress.step,
    lastEpoch,
    checkpoint: path,
  };
}

async function createTrainer(
  network: Network,
  dataset: Dataset,
  options: TrainOptions,
): Promise<Trainer> {
  const { config, checkpoint, folder } = options;
  try {
    return await Trainer.create(network, dataset, {
      config,
      ...(checkpoint
        ? {
          optimiserState: checkpoint.optimiserState,
          progress: checkpoint.progress,
        }
        : {}),
    });
  } catch (error) {
    if (folder) {
      // A folder that holds something is not removed, which is as it should be.
      await Deno.remove(folder).catch(() => {});
    }
    throw error;
  }
}

function checkpointOf(
  trainer: Trainer,
  dataset: Dataset,
  options: TrainOptions,
): Checkpoint {
  return {
    modelName: options.modelName ?? "custom",
    model: trainer.network.model,
    classes: [...dataset.classes],
    dataset: options.dataset ?? { name: dataset.name },
    training: trainer.config,
    progress: trainer.progress,
    parameters: trainer.network.state(),
    optimiserState: trainer.optimiserState(),
  };
}

function savedEpoch(trainer: Trainer): number {
  return trainer.progress.epoch;
}

/** Images a second between two calls. */
class Clock {
  readonly #batchSize: number;
  #step: number;
  #time = performance.now();

  constructor(batchSize: number, step: number) {
    this.#batchSize = batchSize;
    this.#step = step;
  }

  rate(step: number): number {
    const now = performance.now();
    const seconds = (now - this.#time) / 1000;
    const images = (step - this.#step) * this.#batchSize;
    this.#step = step;
    this.#time = now;
    return images / seconds;
  }
}
