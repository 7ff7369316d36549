/**
 * Training that starts from what others trained.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import { PRETRAINED } from "../src/models/pretrained.ts";
import { isWithin } from "../src/nn/_groups.ts";
import { trunkNames } from "../src/nn/classifier_of.ts";
import { graphOf, type Model } from "../src/nn/graph_of.ts";
import { parametersOf } from "../src/nn/parameters.ts";
import {
  FINE_TUNING,
  FINE_TUNING_OF_FEW,
  HEAD_TRAINING,
} from "../src/train/presets.ts";
import type { TrainingConfig } from "../src/train/training_config.ts";
import {
  namedPretrained,
  pretrainedName,
  USUAL_PRETRAINED,
} from "./_pretrained.ts";
import type { TrainFlags } from "./_train_flags.ts";

/**
 * The weights to start from: those of `--init`, else with `--pretrained` the
 * published ones of the model.
 *
 * @throws {GapcamError} If there are none, or they are not there.
 */
export function initOf(
  { init, pretrained, model = USUAL_PRETRAINED }: TrainFlags,
): string | undefined {
  if (init !== undefined || !pretrained) return init;
  const name = pretrainedName(model);
  if (name !== undefined) return namedPretrained(name);
  throw new GapcamError(
    "not-found",
    `Cannot start from a pretrained ${model}: expected one of ${
      Object.keys(PRETRAINED).join(", ")
    }; name other weights with --init`,
  );
}

/** What short words of `--freeze` stand for. */
const FROZEN: Record<string, (model: Model) => string[]> = {
  features: trunkNames,
  norm: normNames,
  none: () => [],
};

/**
 * What `--freeze` means: `features` is all but the layer that decides, `norm`
 * all batch normalisation, `none` nothing.
 */
export function frozenNames(
  model: Model,
  freeze: readonly string[],
): string[] {
  const parameters = parametersOf(model);
  return freeze.flatMap((name) => {
    const known = parameters.some((one) => isWithin(one.name, name));
    return known || !Object.hasOwn(FROZEN, name)
      ? [name]
      : FROZEN[name]!(model);
  });
}

/**
 * What fine-tuning leaves as it is: what `--freeze` names, and batch
 * normalisation unless that says `none`. What the network brings along was
 * averaged over a million images, and all its weights suit it: by the statistics
 * of a batch it would forget first, and learn again.
 */
export function frozenInTuning(
  model: Model,
  freeze: readonly string[],
): string[] {
  const names = frozenNames(model, freeze);
  if (freeze.includes("none")) return names;
  const others = normNames(model).filter((norm) =>
    !names.some((name) => isWithin(norm, name))
  );
  return [...names, ...others];
}

/** Names of all batch normalisation. */
export function normNames(model: Model): string[] {
  return graphOf(model).nodes
    .filter(({ layer }) => layer.kind === "batchNorm2d")
    .map(({ name }) => name);
}

/** Batches of an epoch that are few. */
const FEW = 100;

/** Steps that a new layer needs before the others may follow it, and theirs. */
const STEPS = { head: 20, all: 50 };

/**
 * How it is trained where flags do not say: as suits what is frozen, and how
 * many images there are.
 *
 * @param options `freeze`: what stays as it is; `images`: how many there are to
 * train on.
 */
export function fineTuning(
  model: Model,
  { freeze, images }: { freeze: readonly string[]; images: number },
): Partial<TrainingConfig> {
  const recipe = isHeadAlone(model, freeze) ? HEAD_TRAINING : FINE_TUNING;
  const batchSize = Math.min(recipe.batchSize!, images);
  const steps = Math.ceil(images / batchSize);
  if (recipe === HEAD_TRAINING || steps >= FEW) {
    return { ...recipe, batchSize };
  }
  const headEpochs = Math.ceil(STEPS.head / steps);
  return {
    ...recipe,
    ...FINE_TUNING_OF_FEW,
    batchSize,
    headEpochs,
    epochs: headEpochs +
      Math.max(recipe.epochs! - 1, Math.ceil(STEPS.all / steps)),
  };
}

/** Whether nothing but the layer that decides learns. */
export function isHeadAlone(model: Model, freeze: readonly string[]): boolean {
  return trunkNames(model).every((name) =>
    freeze.some((prefix) => isWithin(name, prefix))
  );
}
