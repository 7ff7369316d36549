import { GapcamError } from "../error.ts";
import type { Model } from "../nn/graph_of.ts";
import { initialise, parametersOf } from "../nn/parameters.ts";
import type { StateDict } from "../weights/state_dict.ts";

/** What {@linkcode initialWeights} took and what it left. */
export interface InitialWeights {
  /** Parameters for the whole model. */
  state: StateDict;
  /** Names that were taken from the given weights. */
  taken: string[];
  /** Names that start fresh: the weights lack them or have another shape. */
  fresh: string[];
  /** Names of the weights that the model does not have. */
  unused: string[];
}

/**
 * Starts a model from weights that fit it in part: each tensor whose name and
 * shape fit is taken, the others start as in a new model. So a trunk that was
 * trained on other classes gets a fresh head.
 *
 * @param model The model to start.
 * @param weights Tensors by name.
 * @param options `seed` of what starts fresh. Default: 0.
 * @throws {GapcamError} If no tensor fits.
 *
 * @example A new head for two classes
 * ```ts
 * import { initialise, initialWeights, vgg } from "@gapcam/gapcam";
 *
 * const old = initialise(vgg([4, "M", 8], { classes: 10 }), 0);
 * const { fresh } = initialWeights(vgg([4, "M", 8], { classes: 2 }), old);
 * if (fresh.join() !== "classifier.weight,classifier.bias") throw new Error();
 * ```
 */
export function initialWeights(
  model: Model,
  weights: StateDict,
  options: { seed?: number } = {},
): InitialWeights {
  const state = initialise(model, options.seed ?? 0);
  const taken: string[] = [];
  const fresh: string[] = [];
  for (const { name, shape } of parametersOf(model)) {
    const found = weights.get(name);
    if (found && found.shape.join() === shape.join()) {
      state.set(name, { shape, data: found.data.slice() });
      taken.push(name);
    } else fresh.push(name);
  }
  if (taken.length === 0) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot start from these weights: none of their ${weights.size} ` +
        `tensors has the name and the shape of one of the model's ` +
        `${fresh.length}, such as ${fresh[0]}`,
    );
  }
  const unused = [...weights.keys()].filter((name) => !state.has(name));
  return { state, taken, fresh, unused };
}
