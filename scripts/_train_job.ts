/**
 * From flags, presets and checkpoints to what is to be trained.
 *
 * @module
 */

import { definedOf } from "../src/_defined_of.ts";
import { GapcamError } from "../src/error.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { datasetFolder, type DatasetName } from "../src/data/open_dataset.ts";
import type { Model } from "../src/nn/graph_of.ts";
import { perChannel } from "../src/nn/_per_channel.ts";
import { parametersOf } from "../src/nn/parameters.ts";
import type { Checkpoint, DatasetConfig } from "../src/train/checkpoint.ts";
import type { OptimiserName } from "../src/train/optimiser_of.ts";
import type { ScheduleName } from "../src/train/learning_rate.ts";
import { refuseFrozen } from "../src/train/initial_weights.ts";
import { modelNameOf } from "../src/models/find_model.ts";
import { parseModel } from "../src/models/model_config.ts";
import { vgg } from "../src/models/vgg.ts";
import {
  choosePreset,
  DATASET_DEFAULTS,
  type PresetName,
  PRESETS,
} from "../src/train/presets.ts";
import {
  type TrainingConfig,
  trainingConfig,
} from "../src/train/training_config.ts";
import { withClasses } from "../src/train/_with_classes.ts";
import { folderOf, unknownFolder } from "./_dataset_flags.ts";
import { parseAugment } from "./_augment_flag.ts";
import {
  fineTuning,
  frozenInTuning,
  frozenNames,
  initOf,
} from "./_fine_tune.ts";
import { parseWeights } from "./_weights_flag.ts";
import { knownModel } from "./_known_model.ts";
import { hasValidation, openSplits } from "./_open_split.ts";
import type { TrainFlags } from "./_train_flags.ts";
import {
  openStart,
  refuseChannels,
  refuseSmall,
  type StartWeights,
} from "./_weights.ts";

/** All that {@linkcode train} needs, and what to print about it. */
export interface Job {
  /** Which preset it started from, and why. */
  preset: { name: PresetName; reason: string } | undefined;
  modelName: string;
  model: Model;
  dataset: DatasetConfig;
  trainSet: Dataset;
  /** What judges the run after each epoch, if anything does. */
  validationSet: Dataset | undefined;
  testSet: Dataset;
  config: TrainingConfig;
  /** Weights to start from. */
  start?: StartWeights;
}

/** A new job: a preset, changed by flags. */
export async function newJob(
  given: TrainFlags,
  surroundings: { gpu: boolean },
): Promise<Job> {
  const flags = namedAsKnown(given);
  const preset = chosenPreset(flags, surroundings);
  const base = preset
    ? PRESETS[preset.name]
    : DATASET_DEFAULTS[flags.dataset as DatasetName];
  const name = flags.dataset ?? PRESETS[preset!.name].dataset;
  // Weights work only with the activation and the normalisation they grew up
  // with.
  const init = initOf(flags);
  const start = init ? await openStart(init, flags.model) : undefined;
  const tuned = flags.pretrained ? start : undefined;
  const own = tuned?.imageSize ??
    DATASET_DEFAULTS[name as DatasetName].training.imageSize;
  const dataset: DatasetConfig = {
    name,
    ...folderOf(flags["data-dir"]),
    ...(flags["train-limit"] ? { trainLimit: flags["train-limit"] } : {}),
    ...(flags["test-limit"] ? { testLimit: flags["test-limit"] } : {}),
    ...folderOptions(
      flags,
      preset?.name === "seed" ? base.training.imageSize : own,
    ),
  };
  const held = heldOut(flags, { ...dataset, seed: base.training.seed });
  if (held) dataset.validation = held;
  const modelName = flags.model ?? start?.modelName ?? base.model;
  const whole =
    (flags.model === undefined || flags.model === start?.modelName) &&
      flags.stem === undefined && flags["batch-norm"] === undefined
      ? start?.model
      : undefined;
  const known = whole ? undefined : knownModel(modelName, flags);
  const trunk = whole || known ? [] : parseModel(modelName);
  const sets = openSplits(dataset, start ?? {});
  const { channels, classes, height, width } = sets.trainSet;
  if (start) refuseChannels(start, sets.trainSet);
  const shape = { classes: classes.length, inputChannels: channels };
  const model = whole
    ? withClasses(whole, classes.length)
    : known
    ? known({ ...shape, ...(flags.stem ? { stem: flags.stem } : {}) })
    : vgg(trunk, {
      ...shape,
      negativeSlope: start?.negativeSlope ?? base.negativeSlope,
      batchNorm: flags["batch-norm"] ?? start?.batchNorm ?? base.batchNorm,
    });
  const freeze = (tuned ? frozenInTuning : frozenNames)(model, flags.freeze);
  const config = trainingConfig({
    ...base.training,
    // Images have their own size where none is asked for.
    ...(preset?.name === "seed" ? {} : { imageSize: Math.max(height, width) }),
    ...(tuned
      ? fineTuning(model, { freeze, images: sets.trainSet.length })
      : {}),
    ...(tuned?.imageSize ? { imageSize: tuned.imageSize } : {}),
    mean: start?.mean ?? perChannel([0.5], channels),
    deviation: start?.deviation ?? perChannel([0.5], channels),
    ...(start?.interpolation ? { interpolation: start.interpolation } : {}),
    ...(start?.cropShare ? { cropShare: start.cropShare } : {}),
    ...(sets.trainSet.targets ? { loss: "binary" } : {}),
    ...givenValues(flags),
    freeze,
  });
  refuseSmall(model, { modelName, channels, imageSize: config.imageSize });
  // Without weights, all that is frozen is random.
  if (!start) {
    refuseFrozen(parametersOf(model).map(({ name }) => name), config.freeze);
  }
  return {
    preset,
    modelName,
    model,
    dataset,
    ...sets,
    config,
    ...(start ? { start } : {}),
  };
}

/** What `--freeze` means of a run that goes on, which may freeze more besides. */
function resumedFreeze(
  freeze: string[],
  { model, training }: Checkpoint,
): string[] {
  if (freeze.includes("none")) return training.freeze.length > 0 ? freeze : [];
  const names = frozenNames(model, freeze);
  return names.length > 0 &&
      names.every((name) => training.freeze.includes(name))
    ? training.freeze
    : names;
}

/** The job of a checkpoint; flags may change how long and where it goes on. */
export function resumedJob(
  typed: TrainFlags,
  checkpoint: Checkpoint,
): Job {
  const flags = namedAsKnown({
    ...typed,
    freeze: resumedFreeze(typed.freeze, checkpoint),
  });
  const given = givenValues(flags);
  const { epochs = checkpoint.training.epochs, ...rest } = given;
  const {
    logEvery = checkpoint.training.logEvery,
    patience = checkpoint.training.patience,
    ...fixed
  } = rest;
  const flagValues: [string, unknown, unknown][] = [
    ...Object.entries(fixed).map((
      [name, value],
    ): [string, unknown, unknown] => [
      name,
      value,
      checkpoint.training[name as keyof TrainingConfig],
    ]),
    ["dataset", flags.dataset, checkpoint.dataset.name],
    ["model", flags.model, checkpoint.modelName],
    ["train-limit", flags["train-limit"], checkpoint.dataset.trainLimit],
  ];
  for (const [name, asked, found] of flagValues) {
    if (
      asked === undefined || JSON.stringify(asked) === JSON.stringify(found)
    ) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot resume with another ${name}: the run has ` +
        `${JSON.stringify(found ?? "none")}, asked for ` +
        `${JSON.stringify(asked)}; leave the flag out or start a new run`,
    );
  }
  for (
    const name of [
      "preset",
      "init",
      "pretrained",
      "batch-norm",
      "stem",
      "test-fraction",
      "validation-fraction",
      "find-rate",
    ] as const
  ) {
    if (flags[name] === undefined || flags[name] === false) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot resume with --${name}: the checkpoint says what the run is`,
    );
  }
  const dataset: DatasetConfig = {
    ...checkpoint.dataset,
    // What it is judged by does not change what it learns.
    ...(flags["test-limit"] ? { testLimit: flags["test-limit"] } : {}),
    ...(flags.strict ? { strict: true } : {}),
    ...folderOf(flags["data-dir"]),
  };
  return {
    preset: undefined,
    modelName: checkpoint.modelName,
    model: checkpoint.model,
    dataset,
    ...openSplits(dataset, checkpoint.training),
    config: trainingConfig({
      ...checkpoint.training,
      epochs,
      patience,
      logEvery,
    }),
  };
}

/** Flags with the model's name as it is known. */
function namedAsKnown(flags: TrainFlags): TrainFlags {
  const { model } = flags;
  return model === undefined ? flags : { ...flags, model: modelNameOf(model) };
}

/** The preset that is named or, where no data set is named either, fits. */
function chosenPreset(
  flags: TrainFlags,
  surroundings: { gpu: boolean },
): Job["preset"] {
  if (flags.preset) {
    return { name: flags.preset as PresetName, reason: "asked for" };
  }
  if (flags.dataset) return undefined;
  if (flags["data-dir"]) throw unknownFolder(flags["data-dir"]);
  return choosePreset({
    stl10: datasetFolder("stl10") !== undefined,
    gpu: surroundings.gpu,
  });
}

/** What flags say of a folder of pictures, which have no size of their own. */
function folderOptions(
  flags: TrainFlags,
  imageSize: number,
): Partial<DatasetConfig> {
  if (flags.dataset !== "folder") {
    if (flags["test-fraction"] === undefined && !flags.strict) return {};
    throw new GapcamError(
      "invalid-argument",
      "Cannot use --test-fraction or --strict with this data set: only " +
        "--dataset folder takes them",
    );
  }
  return {
    size: flags["image-size"] ?? imageSize,
    ...(flags["test-fraction"] ? { testFraction: flags["test-fraction"] } : {}),
    ...(flags.strict ? { strict: true } : {}),
  };
}

/** What is to judge the run: what was asked for, or the split that is there. */
function heldOut(
  flags: TrainFlags,
  dataset: DatasetConfig & { seed: number | undefined },
): DatasetConfig["validation"] {
  const fraction = flags["validation-fraction"];
  if (fraction === undefined) {
    return hasValidation(dataset) ? "split" : undefined;
  }
  const seed = flags.seed ?? dataset.seed ?? 0;
  return fraction > 0 ? { fraction, seed } : undefined;
}

/** The training values that flags give; undefined ones are left out. */
function givenValues(flags: TrainFlags): Partial<TrainingConfig> {
  return definedOf({
    imageSize: flags["image-size"],
    batchSize: flags["batch-size"],
    epochs: flags.epochs,
    learningRate: flags["learning-rate"],
    schedule: flags.schedule as ScheduleName | undefined,
    optimiser: flags.optimizer as OptimiserName | undefined,
    weightDecay: flags["weight-decay"],
    weightDecayOn: flags["weight-decay-on"] as
      | TrainingConfig["weightDecayOn"]
      | undefined,
    momentum: flags.momentum,
    emaDecay: flags["ema-decay"],
    labelSmoothing: flags["label-smoothing"],
    loss: flags.loss === undefined
      ? undefined
      : flags.loss === "binary"
      ? "binary"
      : "crossEntropy",
    classWeights: parseWeights(flags["class-weights"]),
    mixup: flags.mixup,
    cutmix: flags.cutmix,
    clipNorm: flags["clip-norm"],
    accumulate: flags.accumulate,
    ...parseAugment(flags.augment),
    balance: flags.balance || undefined,
    testFlips: flags.tta || undefined,
    bestBy: flags["best-by"] as TrainingConfig["bestBy"] | undefined,
    patience: flags.patience,
    freeze: flags.freeze.length > 0 ? flags.freeze : undefined,
    headEpochs: flags["head-epochs"],
    trunkRate: flags["trunk-rate"],
    syncBatchNorm: flags["sync-batch-norm"] || undefined,
    reduce: flags.reduce as TrainingConfig["reduce"] | undefined,
    seed: flags.seed,
    logEvery: flags["log-every"],
  });
}
