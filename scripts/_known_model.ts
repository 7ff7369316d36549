/**
 * Networks that flags name.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import { MODELS } from "../src/models/find_model.ts";
import type { ModelOptions } from "../src/models/_blocks.ts";
import { RESNETS } from "../src/models/resnet.ts";
import type { Model } from "../src/nn/graph_of.ts";
import type { TrainFlags } from "./_train_flags.ts";

/** The network of that name, if it is no VGG of gapcam's. */
export function knownModel(
  name: string,
  flags: TrainFlags,
): ((options: ModelOptions & { stem?: string }) => Model) | undefined {
  const known = Object.hasOwn(MODELS, name) ? MODELS[name] : undefined;
  if (known && flags["batch-norm"] !== undefined) {
    fail(`Cannot train ${name} with --batch-norm: its layers are as published`);
  }
  if (flags.stem !== undefined && !Object.hasOwn(RESNETS, name)) {
    fail(`Cannot train ${name} with --stem: only ResNets have a choice of it`);
  }
  return known &&
    (({ stem, ...options }) =>
      known.build({
        ...options,
        ...(stem ? { stem: stem as "imagenet" | "small" } : {}),
      }));
}

function fail(message: string): never {
  throw new GapcamError("invalid-argument", message);
}
