import { exists } from "../_files.ts";
import { GapcamError } from "../error.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Network } from "../nn/network.ts";
import { Clock } from "./_clock.ts";
import type { Checkpoint, TrainingProgress } from "./checkpoint.ts";
import { writeCheckpoint } from "./checkpoint_file.ts";
import {
  CHECKPOINT_NAME,
  LOG_NAME,
  openRunFolder,
  type RunFolder,
} from "./run_folder.ts";
import {
  RUN_LOG_VERSION,
  runEvent,
  type RunEventContent,
} from "./run_event.ts";
import { RunLog } from "./run_log.ts";
import type { StepReport } from "./epoch_options.ts";
import type { TrainOptions, TrainResult } from "./train_options.ts";
import { Trainer } from "./trainer.ts";

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
  // A log that cannot be written ends the training as an abort does: saved.
  const full = new AbortController();
  const emit = async (content: RunEventContent) => {
    const event = runEvent(content);
    try {
      log?.write(event);
    } catch (error) {
      full.abort(error);
    }
    await options.onEvent?.(event);
  };
  let saved = checkpoint?.progress;
  const save = async () => {
    if (!path) return;
    // After a power cut the log is to tell all that the checkpoint knows.
    log?.sync();
    const state = checkpointOf(trainer, dataset, options);
    await writeCheckpoint(path, state);
    saved = state.progress;
  };
  const saveAndTell = async () => {
    await save();
    if (path) await emit(checkpointEvent(trainer.progress));
  };
  // Before the log begins, so that a run that is logged has a checkpoint to go
  // on from; and so that a folder without room shows before an epoch.
  const fresh = path !== undefined && (!checkpoint || !exists(path));
  if (fresh) await save();
  const signal = options.signal
    ? AbortSignal.any([options.signal, full.signal])
    : full.signal;
  await emit({
    event: checkpoint ? "resume" : "start",
    version: RUN_LOG_VERSION,
    model: options.modelName ?? "custom",
    dataset: options.dataset ?? { name: dataset.name },
    images: dataset.length,
    config,
    device: network.device.backend,
    precision: network.device.precision,
    stepsPerEpoch: trainer.stepsPerEpoch,
    step: trainer.progress.step,
  });
  if (fresh) await emit(checkpointEvent(trainer.progress));
  let lastEpoch: StepReport | undefined;
  try {
    while (trainer.progress.epoch < config.epochs && !signal.aborted) {
      const start = performance.now();
      const clock = new Clock(config.batchSize, trainer.progress.step);
      const report = await trainer.runEpoch({
        signal,
        ...(options.onStep ? { onStep: options.onStep } : {}),
        onInterval: (interval) =>
          emit({
            event: "interval",
            ...interval,
            imagesPerSecond: clock.rate(interval.totalSteps),
          }),
        ...(saveEvery ? { saveEvery, onSave: saveAndTell } : {}),
      });
      if (!report) break;
      lastEpoch = report;
      const seconds = (performance.now() - start) / 1000;
      await emit({ event: "epoch", ...report, seconds });
      await saveAndTell();
    }
  } catch (error) {
    if (error instanceof GapcamError && error.code === "diverged") {
      await emit({ event: "divergence", message: error.message });
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
  if (!finished && saved?.step !== progress.step) await saveAndTell();
  await emit({
    event: "stop",
    reason: finished ? "finished" : "interrupted",
    epoch: progress.epoch,
    step: progress.step,
  });
  if (full.signal.aborted) throw logError(full.signal.reason, progress.step);
  return {
    finished,
    epochs: progress.epoch,
    steps: progress.step,
    lastEpoch,
    checkpoint: path,
  };
}

function checkpointEvent(progress: TrainingProgress): RunEventContent {
  const { epoch, batch, step } = progress;
  return { event: "checkpoint", file: CHECKPOINT_NAME, epoch, batch, step };
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
