import { GapcamError } from "../error.ts";
import { Random } from "../random.ts";
import {
  elementCount,
  type HostTensor,
  type StateDict,
} from "../host_tensor.ts";
import { graphOf, join, type Model } from "./graph_of.ts";
import { kindOf } from "./layers/_kinds.ts";

/** One tensor of a model. */
export interface Parameter {
  /** PyTorch's name, such as `features.0.weight`. */
  readonly name: string;
  /** Dimensions: [O, I, height, width], [outputs, inputs] or [channels]. */
  readonly shape: readonly number[];
  /** Whether training changes it by gradients; running statistics are not trainable. */
  readonly trainable: boolean;
  /** Inputs that one output sums over; 0 where a constant initialises it. */
  readonly fanIn: number;
  /** What it starts as where `fanIn` is 0. */
  readonly initialValue: number;
}

/**
 * Lists the tensors of a model, in PyTorch's `state_dict()` order.
 *
 * @param model Any layer.
 * @returns Trainable parameters and running statistics.
 *
 * @example Names and shapes
 * ```ts
 * import { linear, parametersOf, sequential } from "@gapcam/gapcam";
 *
 * const [weight, bias] = parametersOf(sequential([linear(3, 2)]));
 * if (weight?.name !== "0.weight") throw new Error();
 * if (bias?.shape.join() !== "2") throw new Error();
 * ```
 */
export function parametersOf(model: Model): Parameter[] {
  return graphOf(model).nodes.flatMap(({ name, layer }) =>
    (kindOf(layer).parameters?.(layer) ?? []).map((parameter) => ({
      ...parameter,
      name: join(name, parameter.name),
    }))
  );
}

/**
 * Draws initial values as PyTorch does: `kaiming_uniform(a = sqrt 5)`, so
 * weights and biases are U(-1/sqrt(fan-in), 1/sqrt(fan-in)); batch
 * normalisation starts as the identity.
 *
 * @param model Any layer.
 * @param seed The same seed gives the same values.
 * @throws {GapcamError} If there are more than 2^31 values.
 * @returns Values by name. Each tensor has a random stream of its own, so that
 * adding a layer leaves the ones before it as they were.
 *
 * @example Within one over the square root of the fan-in
 * ```ts
 * import { initialise, linear } from "@gapcam/gapcam";
 *
 * const weight = initialise(linear(4, 100), 0).get("weight")!.data;
 * if (!weight.every((value) => Math.abs(value) <= 0.5)) throw new Error();
 * ```
 */
export function initialise(
  model: Model,
  seed: number,
): StateDict {
  const parameters = parametersOf(model);
  assertSize(parameters);
  return new Map(
    parameters.map((parameter, i): [string, HostTensor] => {
      const data = allocate(parameter);
      if (parameter.fanIn === 0) data.fill(parameter.initialValue);
      else {
        const bound = 1 / Math.sqrt(parameter.fanIn);
        new Random(seed, i).fillUniform(data, -bound, bound);
      }
      return [parameter.name, { shape: parameter.shape, data }];
    }),
  );
}

/** Greatest number of a model's values: 8 GiB of them. */
export const MOST_PARAMETERS = 2 ** 31;

/** Refuses what no machine holds before the first byte of it is asked for. */
function assertSize(parameters: readonly Parameter[]): void {
  const count = parameters.reduce((sum, one) => sum + lengthOf(one), 0);
  if (count <= MOST_PARAMETERS) return;
  const largest = parameters.reduce((a, b) =>
    lengthOf(b) > lengthOf(a) ? b : a
  );
  throw new GapcamError(
    "out-of-memory",
    `Cannot build a model of ${text(count)} parameters, which take ` +
      `${text(Math.ceil(4 * count / 2 ** 30))} GiB before training starts: ` +
      `expected at most ${text(MOST_PARAMETERS)}; ${largest.name} alone has ` +
      `${text(lengthOf(largest))}, so use fewer channels`,
  );
}

function allocate(parameter: Parameter): Float32Array<ArrayBuffer> {
  const length = lengthOf(parameter);
  try {
    return new Float32Array(length);
  } catch (error) {
    throw new GapcamError(
      "out-of-memory",
      `Cannot build the model: ${parameter.name} takes ${text(4 * length)} ` +
        "bytes, which this machine does not have; use fewer channels",
      { cause: error },
    );
  }
}

function lengthOf(parameter: Parameter): number {
  return elementCount(parameter.shape);
}

function text(count: number): string {
  return count.toLocaleString("en-US");
}
