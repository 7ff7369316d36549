import { exists } from "../_files.ts";
import { GapcamError } from "../error.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Communicator } from "../device/communicator.ts";
import type { Network } from "../nn/network.ts";
import { alignRanks, stops } from "./_ranks.ts";
import { Clock } from "./_clock.ts";
import { machineOf } from "./_machine.ts";
import { logError, rankError, savedText } from "./_run_errors.ts";
import { RunRecord } from "./_run_record.ts";
import { assertPatience, Validation } from "./_validation.ts";
import { RUN_LOG_VERSION } from "./run_event.ts";
import { openRunFolder, type RunFolder } from "./run_folder.ts";
import type { StepReport } from "./epoch_options.ts";
import type { TrainOptions, TrainResult } from "./train_options.ts";
import { histogramsOf } from "./tensor_histogram.ts";
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
  assertPatience(config, options.validation);
  if (checkpoint) network.load(checkpoint.parameters);
  using own = typeof options.folder === "string" &&
      !(options.communicator && options.communicator.rank > 0)
    ? openRunFolder(options.folder, { resume: checkpoint !== undefined })
    : undefined;
  const { communicator } = options;
  const folder = communicator && communicator.rank > 0
    ? undefined
    : own?.path ?? (options.folder as RunFolder | undefined)?.path;
  if (communicator) {
    await alignRanks(network, dataset, { ...options, communicator });
  }
  using trainer = await Trainer.create(network, dataset, {
    config,
    ...(communicator ? { communicator } : {}),
    ...(checkpoint
      ? {
        optimiserState: checkpoint.optimiserState,
        ...(checkpoint.averages ? { averages: checkpoint.averages } : {}),
        progress: checkpoint.progress,
      }
      : {}),
  });
  using record = new RunRecord(trainer, dataset, { ...options, at: folder });
  using validation = options.validation &&
    await openValidation(trainer, options.validation, {
      record,
      communicator,
    });
  // Before the log begins, so that a run that is logged has a checkpoint to go
  // on from; and so that a folder without room shows before an epoch.
  const { fresh } = record;
  if (fresh) await record.save();
  const signal = options.signal
    ? AbortSignal.any([options.signal, record.full])
    : record.full;
  await record.emit({
    event: checkpoint ? "resume" : "start",
    version: RUN_LOG_VERSION,
    model: options.modelName ?? "custom",
    dataset: options.dataset ?? { name: dataset.name },
    images: dataset.length,
    config,
    device: network.device.backend,
    precision: network.device.precision,
    stepsPerEpoch: trainer.stepsPerEpoch,
    ...(communicator ? { ranks: communicator.size } : {}),
    step: trainer.progress.step,
    machine: machineOf(network.device),
    ...(options.command ? { command: [...options.command] } : {}),
  });
  if (fresh) await record.tellSaved();
  let lastEpoch: StepReport | undefined;
  let ended: "finished" | "patience" | "interrupted" = "interrupted";
  try {
    while (!await stops(signal, communicator)) {
      const { epoch, batch } = trainer.progress;
      // Here, so that a run that was cut while it was judged is judged first.
      if (validation && batch === 0 && epoch > validation.progress.epochs) {
        if (!await judge(validation, trainer, { record, signal, options })) {
          break;
        }
        await record.save();
        await record.tellSaved();
      }
      if (epoch >= config.epochs) ended = "finished";
      else if (validation?.exhausted && batch === 0) ended = "patience";
      if (ended !== "interrupted") break;
      const report = await trainEpoch(trainer, {
        ...{ record, signal, options },
        images: dataset.length,
      });
      if (!report) break;
      lastEpoch = report;
      if (validation) continue;
      await record.save();
      await record.tellSaved();
    }
  } catch (error) {
    if (error instanceof GapcamError && error.code === "rank-failed") {
      throw rankError(error, record);
    }
    if (error instanceof GapcamError && error.code === "diverged") {
      await record.emit({ event: "divergence", message: error.message });
      if (!record.path) throw error;
      throw new GapcamError(
        "diverged",
        `${error.message}; the checkpoint of ${savedText(record.saved)} is ` +
          `kept in ${record.path}`,
        { cause: error },
      );
    }
    throw error;
  }
  const { epoch, step } = trainer.progress;
  // Without anything to judge by, an abort after the last epoch ends nothing.
  if (!validation && epoch >= config.epochs) ended = "finished";
  if (ended === "interrupted" && record.saved?.step !== step) {
    await record.save();
    await record.tellSaved();
  }
  await record.emit({ event: "stop", reason: ended, epoch, step });
  if (record.full.aborted) throw logError(record.full.reason, step);
  const best = validation?.progress.best;
  return {
    finished: ended !== "interrupted",
    epochs: epoch,
    steps: step,
    lastEpoch,
    best,
    averages: trainer.averages,
    checkpoint: record.path,
    bestCheckpoint: best && record.bestPath,
  };
}

/** What the parts of a run share. */
interface Parts {
  record: RunRecord;
  signal: AbortSignal;
  options: TrainOptions;
}

/** Compiles what judges a run, to go on where its checkpoint says. */
async function openValidation(
  trainer: Trainer,
  dataset: Dataset,
  parts: { record: RunRecord; communicator: Communicator | undefined },
): Promise<Validation> {
  const { record, communicator } = parts;
  const { validation: progress, bestPath } = record;
  // Where its best is gone the next one is the best.
  const gone = bestPath !== undefined && !exists(bestPath);
  const lost = await communicator?.shareValue(gone) ?? gone;
  const validation = await Validation.create(trainer, dataset, {
    ...(progress && !lost ? { progress } : {}),
    ...(communicator ? { communicator } : {}),
  });
  record.validation = validation.progress;
  return validation;
}

/** Whether the network was judged to the end; else the signal stopped it. */
async function judge(
  validation: Validation,
  trainer: Trainer,
  parts: Parts,
): Promise<boolean> {
  const { record, signal, options } = parts;
  const { epoch, step } = trainer.progress;
  const { onValidationProgress } = options;
  const images = options.validation!.length;
  try {
    const event = await validation.run(epoch, step, {
      signal,
      ...(onValidationProgress
        ? { onProgress: (done) => onValidationProgress(done, images) }
        : {}),
    });
    record.validation = validation.progress;
    // Before the checkpoint: a run that is cut between them judges once more.
    if (event.best) await record.saveBest();
    await record.emit(event);
    return true;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return false;
    // Of several ranks each stops where one of them does.
    if (error instanceof DOMException && error.name === "AbortError") {
      return false;
    }
    throw error;
  }
}

/** Trains to the end of the epoch; undefined if the signal stopped it before. */
async function trainEpoch(
  trainer: Trainer,
  parts: Parts & { images: number },
): Promise<StepReport | undefined> {
  const { record, signal, options } = parts;
  const { saveEvery, onFeatureProgress } = options;
  const start = performance.now();
  const clock = new Clock(
    trainer.config.batchSize * trainer.config.accumulate,
    trainer.progress.step,
  );
  const report = await trainer.runEpoch({
    signal,
    ...(options.onStep ? { onStep: options.onStep } : {}),
    ...(onFeatureProgress
      ? { onFeatures: (done) => onFeatureProgress(done, parts.images) }
      : {}),
    onInterval: (interval) =>
      record.emit({
        event: "interval",
        ...interval,
        imagesPerSecond: clock.rate(interval.totalSteps),
      }),
    ...(saveEvery
      ? {
        saveEvery,
        onSave: async () => {
          await record.save();
          await record.tellSaved();
        },
      }
      : {}),
  });
  if (!report) return undefined;
  const seconds = (performance.now() - start) / 1000;
  await record.emit({ event: "epoch", ...report, seconds });
  if (options.histograms) {
    await record.emit({
      event: "histograms",
      epoch: report.epoch,
      step: report.totalSteps,
      parameters: histogramsOf(trainer.network.state()),
      gradients: histogramsOf(trainer.gradients()),
    });
  }
  return report;
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
