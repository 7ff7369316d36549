import { printable } from "../_printable.ts";
import { GapcamError } from "../error.ts";
import { outputsOf } from "../nn/classifier_of.ts";
import type { Model } from "../nn/graph_of.ts";
import type { StateDict } from "../host_tensor.ts";
import { parseModel } from "../nn/parse_model.ts";
import { type TrainingConfig, trainingConfig } from "./training_config.ts";
import {
  isValidationProgress,
  type ValidationProgress,
} from "./validation_progress.ts";

/** Version of what {@linkcode checkpointMetadata} writes. */
export const CHECKPOINT_VERSION = 1;

/** Which images a network was trained on. */
export interface DatasetConfig {
  /** The data set's name. */
  name: string;
  /** Its folder, if it was named. */
  folder?: string;
  /** How many training images count, if not all. */
  trainLimit?: number;
  /** How many test images the run is judged by, if not by all. */
  testLimit?: number;
  /** Height and width that pictures from a folder are brought to. */
  size?: number;
  /** Part of a folder that is for testing, where it has no test split. */
  testFraction?: number;
  /** Whether a picture that cannot be read is an error. */
  strict?: boolean;
  /**
   * What validates a run after each epoch, if anything does: a part of each
   * class that `seed` chooses among the training images, or the split that the
   * data set has for it.
   */
  validation?: { fraction: number; seed: number } | "split";
}

/** Sums over steps. */
export interface StepTotals {
  /** Sum of the steps' losses. */
  lossSum: number;
  /** Steps. */
  steps: number;
  /** Images whose greatest logit was the label's. */
  correct: number;
  /** Images. */
  images: number;
}

/** How far a run has come: what it needs to go on as if it had not stopped. */
export interface TrainingProgress {
  /** Epochs that are done. */
  epoch: number;
  /** Batches of the next epoch that are done: the loader's position. */
  batch: number;
  /** Steps in all. */
  step: number;
  /** Sums over the steps of the epoch under way. */
  epochTotals: StepTotals;
  /** Sums over the steps since the last reported loss. */
  intervalTotals: StepTotals;
  /** How far validation has come, in a run that is validated. */
  validation?: ValidationProgress;
}

/** A network and all that its training needs to go on. */
export interface Checkpoint {
  /** The model's name, such as `vgg16`. */
  modelName: string;
  /** The model. */
  model: Model;
  /** Class names, in the order of logits. */
  classes: string[];
  /** What it was trained on. */
  dataset: DatasetConfig;
  /** How it was trained. */
  training: TrainingConfig;
  /** How far training had come. */
  progress: TrainingProgress;
  /**
   * Parameters and running statistics under PyTorch's names. Where only the
   * network was read of a run that averages them: the averages.
   */
  parameters: StateDict;
  /** Their moving averages, if the run has them and its state was read. */
  averages?: StateDict;
  /** How many ranks trained it last; 1 if it is not said. */
  ranks?: number;
  /** The optimiser's tensors; empty where only the network was read. */
  optimiserState: StateDict;
}

/** What stands before the names of the optimiser's tensors in a checkpoint. */
export const OPTIMISER_PREFIX = "optimizer.";

/** What stands before the names of moving averages in a checkpoint. */
export const AVERAGE_PREFIX = "average.";

/**
 * A checkpoint's tensors as one list, the optimiser's under `optimizer.*`,
 * averages under `average.*`.
 */
export function checkpointTensors(checkpoint: Checkpoint): StateDict {
  const tensors: StateDict = new Map(checkpoint.parameters);
  for (const [name, tensor] of checkpoint.optimiserState) {
    tensors.set(OPTIMISER_PREFIX + name, tensor);
  }
  for (const [name, tensor] of checkpoint.averages ?? []) {
    tensors.set(AVERAGE_PREFIX + name, tensor);
  }
  return tensors;
}

/** A checkpoint's description as safetensors metadata: text by name. */
export function checkpointMetadata(
  checkpoint: Checkpoint,
): Record<string, string> {
  return {
    // What PyTorch's own tools look for: the names are PyTorch's.
    format: "pt",
    gapcam_version: String(CHECKPOINT_VERSION),
    model: JSON.stringify({
      name: checkpoint.modelName,
      layers: checkpoint.model,
    }),
    classes: JSON.stringify(checkpoint.classes),
    dataset: JSON.stringify(checkpoint.dataset),
    training: JSON.stringify(checkpoint.training),
    progress: JSON.stringify(checkpoint.progress),
    ...(checkpoint.ranks ? { ranks: String(checkpoint.ranks) } : {}),
  };
}

/**
 * Puts a checkpoint together from what a safetensors file holds.
 *
 * @param tensors The file's tensors.
 * @param metadata The file's metadata.
 * @throws {GapcamError} If the metadata is not that of a checkpoint, or of one
 * of another version. The message says what is wrong, not which file.
 */
export function parseCheckpoint(
  tensors: StateDict,
  metadata: Readonly<Record<string, string>>,
): Checkpoint {
  checkVersion(metadata);
  const model = object(metadata, "model");
  const classes = json(metadata, "classes");
  if (
    typeof model.name !== "string" || !Array.isArray(classes) ||
    classes.length === 0 || !classes.every((one) => typeof one === "string")
  ) throw new GapcamError("bad-data", "its model or classes are damaged");
  const layers = parseModel(model.layers);
  assertOutputs(layers, classes.length);
  const parameters: StateDict = new Map();
  const optimiserState: StateDict = new Map();
  const averages: StateDict = new Map();
  for (const [name, tensor] of tensors) {
    if (name.startsWith(OPTIMISER_PREFIX)) {
      optimiserState.set(name.slice(OPTIMISER_PREFIX.length), tensor);
    } else if (name.startsWith(AVERAGE_PREFIX)) {
      averages.set(name.slice(AVERAGE_PREFIX.length), tensor);
    } else parameters.set(name, tensor);
  }
  const ranks = Number(metadata.ranks ?? 1);
  if (!Number.isSafeInteger(ranks) || ranks < 1) {
    throw new GapcamError("bad-data", "its number of ranks is damaged");
  }
  return {
    modelName: model.name,
    model: layers,
    classes,
    dataset: parseDataset(object(metadata, "dataset")),
    training: trainingConfig(object(metadata, "training")),
    progress: parseProgress(object(metadata, "progress")),
    parameters,
    ...(averages.size > 0 ? { averages } : {}),
    ...(ranks > 1 ? { ranks } : {}),
    optimiserState,
  };
}

/**
 * Makes sure that metadata is that of a checkpoint that this version reads.
 *
 * @throws {GapcamError} If it is not.
 */
export function checkVersion(
  metadata: Readonly<Record<string, string>>,
): void {
  if (metadata.gapcam_version === undefined) {
    throw new GapcamError(
      "bad-data",
      "it holds tensors but no description of a gapcam run",
    );
  }
  if (metadata.gapcam_version !== String(CHECKPOINT_VERSION)) {
    const shown = printable(metadata.gapcam_version, 40);
    throw new GapcamError(
      "unsupported",
      `it has format version ${shown}, expected ` +
        `${CHECKPOINT_VERSION}; read it with the gapcam that wrote it`,
    );
  }
}

/** Sums over no steps. */
export function noTotals(): StepTotals {
  return { lossSum: 0, steps: 0, correct: 0, images: 0 };
}

/** A class that has no name could not be shown. */
function assertOutputs(model: Model, classes: number): void {
  const outputs = outputsOf(model);
  if (outputs === undefined || outputs === classes) return;
  throw new GapcamError(
    "bad-data",
    `its model has ${outputs} outputs, but it names ` +
      (classes === 1 ? "1 class" : `${classes} classes`),
  );
}

function parseDataset(found: Record<string, unknown>): DatasetConfig {
  const { name, folder, testFraction, strict, validation } = found;
  const counts = [found.trainLimit, found.testLimit, found.size];
  if (
    typeof name === "string" &&
    (folder === undefined || typeof folder === "string") &&
    counts.every((one) =>
      one === undefined || (Number.isSafeInteger(one) && (one as number) > 0)
    ) &&
    (testFraction === undefined ||
      (typeof testFraction === "number" && testFraction > 0 &&
        testFraction < 1)) &&
    (strict === undefined || typeof strict === "boolean") &&
    isHeldOut(validation)
  ) return found as unknown as DatasetConfig;
  throw new GapcamError("bad-data", "its data set is damaged");
}

function isHeldOut(value: unknown): boolean {
  if (value === undefined || value === "split") return true;
  if (typeof value !== "object" || value === null) return false;
  const { fraction, seed } = value as Record<string, unknown>;
  return typeof fraction === "number" && fraction > 0 && fraction < 1 &&
    Number.isSafeInteger(seed);
}

function parseProgress(found: Record<string, unknown>): TrainingProgress {
  const numbers = [found.epoch, found.batch, found.step];
  const totals = [found.epochTotals, found.intervalTotals];
  const { validation } = found;
  if (
    (validation === undefined || isValidationProgress(validation)) &&
    numbers.every((value) =>
      Number.isSafeInteger(value) && (value as number) >= 0
    ) &&
    totals.every((value) =>
      typeof value === "object" && value !== null &&
      Object.keys(noTotals()).every((name) =>
        typeof (value as Record<string, unknown>)[name] === "number"
      )
    )
  ) return found as unknown as TrainingProgress;
  throw new GapcamError("bad-data", "its progress is damaged");
}

function json(metadata: Readonly<Record<string, string>>, name: string) {
  try {
    return JSON.parse(metadata[name] ?? "");
  } catch {
    throw new GapcamError("bad-data", `its ${name} is damaged`);
  }
}

function object(
  metadata: Readonly<Record<string, string>>,
  name: string,
): Record<string, unknown> {
  const value = json(metadata, name);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value;
  }
  throw new GapcamError("bad-data", `its ${name} is damaged`);
}
