import { exists } from "../_files.ts";
import { GapcamError } from "../error.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Network } from "../nn/network.ts";
import {
  type Checkpoint,
  type DatasetConfig,
  type TrainingProgress,
} from "./checkpoint.ts";
import { writeCheckpoint } from "./checkpoint_file.ts";
import {
  CHECKPOINT_NAME,
  LOG_NAME,
  openRunFolder,
  type RunFolder,
} from "./run_folder.ts";
import { RunLog, type RunLogRecord } from "./run_log.ts";
import type { StepReport } from "./epoch_options.ts";
import { Trainer } from "./trainer.ts";
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
   * The run's folder, for its log and its checkpoint, by its path or opened
   * already; nothing is written if it is left out.
   */
  folder?: string | RunFolder;
  /** Goes on from here, in the folder of that run; the network is loaded from it. */
  checkpoint?: Checkpoint;
  /**
   * Saves a checkpoint every so many steps of the run as well as after every
   * epoch. Default: only after every epoch.
   */
  saveEvery?: number;
  /** Aborting finishes the step under way, saves and returns. */
  signal?: AbortSignal;
  /** Called once the training step is compiled. Callbacks are waited for. */
  onStart?: (
    run: { stepsPerEpoch: number; step: number },
  ) => unknown;
  /** Called after every step, with the running mean since the last interval's end. */
  onStep?: (report: StepReport & { images: number }) => unknown;
  /** Called every `logEvery` steps, with the mean over them. */
  onInterval?: (
    report: StepReport & { imagesPerSecond: number },
  ) => unknown;
  /** Called after every epoch, with the mean over it; its checkpoint is saved. */
  onEpoch?: (report: StepReport & { seconds: number }) => unknown;
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
 * run that was never cut. An error of a callback ends the training; what was
 * saved until then stays.
 *
 * @param network What to train.
 * @param dataset On what.
 * @param options How.
 * @throws {GapcamError} If the parts do not fit each other, the folder cannot
 * be written, holds another run or is in use, or the loss is not finite or
 * above 1000; the last checkpoint is kept then.
 *
 * @example
 * ```ts
 * import { Network, openDevice, shapesDataset, train, trainingConfig, vgg } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
 * const shapes = shapesDataset("train", { size: 16, length: 40 });
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
  const { config, checkpoint, saveEvery } = options;
  assertSaveEvery(saveEvery);
  if (checkpoint) network.load(checkpoint.parameters);
  using own = typeof options.folder === "string"
    ? openRunFolder(options.folder, { resume: checkpoint !== undefined })
    : undefined;
  const folder = own?.path ?? (options.folder as RunFolder | undefined)?.path;
  using trainer = await Trainer.create(network, dataset, {
    config,
    ...(checkpoint
      ? {
        optimiserState: checkpoint.optimiserState,
        progress: checkpoint.progress,
      }
      : {}),
  });
  const path = folder && `${folder}/${CHECKPOINT_NAME}`;
  using log = folder ? new RunLog(`${folder}/${LOG_NAME}`) : undefined;
  let saved = checkpoint?.progress;
  const save = async () => {
    if (!path) return;
    // After a power cut the log is to tell all that the checkpoint knows.
    log?.sync();
    const state = checkpointOf(trainer, dataset, options);
    await writeCheckpoint(path, state);
    saved = state.progress;
  };
  // Before the log begins, so that a run that is logged has a checkpoint to go
  // on from; and so that a folder without room shows before an epoch.
  if (path && (!checkpoint || !exists(path))) await save();
  // A log that cannot be written ends the training as an abort does: saved.
  const full = new AbortController();
  const write = (record: RunLogRecord) => {
    try {
      log?.write(record);
    } catch (error) {
      full.abort(error);
    }
  };
  const signal = options.signal
    ? AbortSignal.any([options.signal, full.signal])
    : full.signal;
  write({
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
  await options.onStart?.({
    stepsPerEpoch: trainer.stepsPerEpoch,
    step: trainer.progress.step,
  });
  let lastEpoch: StepReport | undefined;
  try {
    while (trainer.progress.epoch < config.epochs && !signal.aborted) {
      const start = performance.now();
      const clock = new Clock(config.batchSize, trainer.progress.step);
      const report = await trainer.runEpoch({
        signal,
        ...(options.onStep ? { onStep: options.onStep } : {}),
        onInterval: async (interval) => {
          const timed = {
            ...interval,
            imagesPerSecond: clock.rate(interval.totalSteps),
          };
          write({ event: "interval", ...timed });
          await options.onInterval?.(timed);
        },
        ...(saveEvery ? { saveEvery, onSave: save } : {}),
      });
      if (!report) break;
      const timed = { ...report, seconds: (performance.now() - start) / 1000 };
      write({ event: "epoch", ...timed });
      lastEpoch = report;
      await save();
      await options.onEpoch?.(timed);
    }
  } catch (error) {
    if (error instanceof GapcamError && error.code === "diverged") {
      write({ event: "diverged", message: error.message });
      if (!path) throw error;
      throw new GapcamError(
        "diverged",
        `${error.message}; the checkpoint of ${savedText(saved)} is kept in ` +
          path,
        { cause: error },
      );
    }
    throw error;
  }
  const progress = trainer.progress;
  const finished = progress.epoch >= config.epochs;
  if (!finished) {
    if (saved?.step !== progress.step) await save();
    write({
      event: "stopped",
      epoch: progress.epoch,
      step: progress.step,
    });
  }
  if (full.signal.aborted) throw logError(full.signal.reason, progress.step);
  return {
    finished,
    epochs: progress.epoch,
    steps: progress.step,
    lastEpoch,
    checkpoint: path,
  };
}

function assertSaveEvery(saveEvery: number | undefined): void {
  if (
    saveEvery === undefined ||
    (Number.isSafeInteger(saveEvery) && saveEvery > 0)
  ) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot save every ${saveEvery} steps: expected a whole number from 1`,
  );
}

function logError(error: GapcamError, step: number): GapcamError {
  return new GapcamError(
    error.code,
    `${error.message}; the run is saved after step ${step} and can be resumed`,
    { cause: error },
  );
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

function savedText(saved: TrainingProgress | undefined): string {
  const { epoch, batch } = saved ?? { epoch: 0, batch: 0 };
  return batch === 0 ? `epoch ${epoch}` : `epoch ${epoch + 1}, step ${batch}`;
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
