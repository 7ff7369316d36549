import { GapcamError } from "../error.ts";
import { isWithin } from "../nn/_groups.ts";
import type { Model } from "../nn/graph_of.ts";
import { initialise, type Parameter, parametersOf } from "../nn/parameters.ts";
import { matchNames } from "../weights/_match_model.ts";
import { few } from "../weights/_quote.ts";
import type { HostTensor, StateDict } from "../host_tensor.ts";
import { hostTensorOf, type StoredTensor } from "../weights/stored_tensor.ts";

/** What {@linkcode initialWeights} took and what it left. */
export interface InitialWeights {
  /** Parameters for the whole model. */
  state: StateDict;
  /** The model's names of what was taken from the given weights. */
  taken: string[];
  /** Names that start fresh: the weights lack them or have another shape. */
  fresh: string[];
  /** Biases that are zero because the weights' layers have none. */
  zero: string[];
  /** Names of the weights that the model does not have. */
  unused: string[];
  /** What was renamed, one sentence each. */
  notes: string[];
}

/**
 * Starts a model from weights that fit it in part: a layer whose tensors all
 * have the right shapes is taken, the others start as in a new model. So a
 * trunk that was trained on other classes gets a fresh head. Names need not be
 * the model's to the letter; see {@linkcode mapVggWeights}.
 *
 * @param model The model to start.
 * @param weights Tensors by name.
 * @param options `seed` of what starts fresh (default: 0), and what training
 * will `freeze`.
 * @throws {GapcamError} If no tensor fits, or what is to be frozen starts fresh.
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
  weights: ReadonlyMap<string, HostTensor | StoredTensor>,
  options: { seed?: number; freeze?: readonly string[] } = {},
): InitialWeights {
  const state = initialise(model, options.seed ?? 0);
  const parameters = parametersOf(model);
  const { tensors, sources, notes } = matchNames(parameters, weights);
  const taken: string[] = [];
  const fresh: string[] = [];
  const zero: string[] = [];
  for (const layer of layersOf(parameters)) {
    const missing = layer.filter(({ name }) => !sources.has(name));
    const whole = layer.every(({ name, shape }) => {
      const found = tensors.get(sources.get(name) ?? "");
      return !found || sameSize(found.shape, shape);
    });
    // A layer made without bias is one with a bias of zero.
    const lacks = missing.length === 1 && missing[0]!.name.endsWith("bias");
    if (!whole || !(missing.length === 0 || (lacks && layer.length === 2))) {
      fresh.push(...layer.map(({ name }) => name));
      continue;
    }
    for (const { name, shape } of layer) {
      const source = sources.get(name);
      if (source === undefined) {
        zero.push(name);
        state.get(name)!.data.fill(0);
        continue;
      }
      const { data } = hostTensorOf(tensors.get(source)!, {
        name: source,
        shape,
      });
      state.set(name, { shape, data: data.slice() });
      taken.push(name);
    }
  }
  if (taken.length === 0) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot start from these weights: none of their ${
        count(weights.size, "tensor")
      } has the name and the shape of one of the model's ${fresh.length}, ` +
        `such as ${fresh[0]}`,
    );
  }
  refuseFrozen(fresh, options.freeze ?? []);
  const used = new Set(sources.values());
  const unused = [...tensors.keys()].filter((name) =>
    !used.has(name) && !name.endsWith(".num_batches_tracked")
  );
  return { state, taken, fresh, zero, unused, notes };
}

/**
 * Makes sure that nothing is frozen that nobody has trained.
 *
 * @param fresh Names of what starts at random.
 * @param freeze What training leaves as it is.
 * @throws {GapcamError} If a name is in both.
 */
export function refuseFrozen(
  fresh: readonly string[],
  freeze: readonly string[],
): void {
  const frozen = fresh.filter((name) =>
    freeze.some((prefix) => isWithin(name, prefix))
  );
  if (frozen.length === 0) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot freeze what starts at random: ${
      few(frozen)
    }; freeze what is taken ` +
      "from weights that fit the model",
  );
}

/** Tensors by the layer that they belong to. */
function layersOf(parameters: readonly Parameter[]): Parameter[][] {
  const layers = new Map<string, Parameter[]>();
  for (const parameter of parameters) {
    const layer = parameter.name.replace(/(^|\.)[^.]*$/, "");
    layers.set(layer, [...layers.get(layer) ?? [], parameter]);
  }
  return [...layers.values()];
}

/** Whether sizes are the same but for a window of 1 x 1 of a linear layer. */
function sameSize(found: readonly number[], shape: readonly number[]): boolean {
  return found.join() === shape.join() ||
    (shape.length === 2 && found.join() === [...shape, 1, 1].join());
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
