import { printable } from "../_printable.ts";
import { GapcamError } from "../error.ts";
import type { Device } from "../device/device.ts";
import type { Tensor } from "../device/tensor.ts";
import type { StateDict } from "../host_tensor.ts";
import { graphOf, type Model, type ModelGraph } from "./graph_of.ts";
import { initialise, type Parameter, parametersOf } from "./parameters.ts";

/** What a compiled program takes: images of one size, in batches of one size. */
export interface ImageOptions {
  /** Images a batch, from 1. A shorter batch is padded; see `run` and `step`. */
  batchSize: number;
  /** Height, width and channels of the images. */
  image: { height: number; width: number; channels: number };
  /** What images are resized to; their own size if left out. */
  inputSize?: { height: number; width: number };
  /**
   * Mean of each channel, or of all if it is one number, of pixels scaled to
   * [0, 1]. Default: 0.5.
   */
  mean?: readonly number[];
  /** Standard deviation of each channel, or of all. Default: 0.5. */
  deviation?: readonly number[];
}

/**
 * A model with its parameters on a device. Programs compiled from it share the
 * parameters: what training changes, inference sees.
 *
 * @example Training one step
 * ```ts
 * import {
 *   adam, conv2d, globalAveragePool, linear, Network, openDevice, relu,
 *   sequential, TrainingProgram,
 * } from "@gapcam/gapcam";
 *
 * const model = sequential([conv2d(1, 4), relu(), globalAveragePool(), linear(4, 2)]);
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, model, { seed: 0 });
 * using training = await TrainingProgram.compile(network, {
 *   batchSize: 2,
 *   image: { height: 8, width: 8, channels: 1 },
 *   optimiser: adam(),
 * });
 * await training.step(new Uint8Array(2 * 8 * 8), new Int32Array([0, 1]));
 * if (training.metrics().steps !== 1) throw new Error("no step was counted");
 * ```
 */
export class Network implements Disposable {
  /** Where the parameters are. */
  readonly device: Device;
  /** What the network computes. */
  readonly model: Model;
  /** The same as a flat graph. */
  readonly graph: ModelGraph;
  /** Its tensors, in PyTorch's order. */
  readonly parameters: readonly Parameter[];
  readonly #tensors = new Map<string, Tensor>();

  /**
   * Puts a model's parameters on a device.
   *
   * @param device Where the parameters go.
   * @param model What to compute.
   * @param options Initial values: `state`, or those drawn from `seed` (default 0).
   * @throws {GapcamError} If `state` lacks a tensor, has one too many or one of
   * another shape, or memory runs out.
   */
  constructor(
    device: Device,
    model: Model,
    options: { state?: StateDict; seed?: number } = {},
  ) {
    this.device = device;
    this.model = model;
    this.graph = graphOf(model);
    this.parameters = parametersOf(this.graph);
    const state = options.state ?? initialise(model, options.seed ?? 0);
    assertFits(this.parameters, state);
    try {
      for (const { name, shape } of this.parameters) {
        const data = state.get(name)!.data;
        this.#tensors.set(name, device.tensor(shape, { data }));
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * The device's tensor of a parameter.
   *
   * @param name PyTorch's name, such as `classifier.weight`.
   * @returns The tensor, which the network owns.
   * @throws {GapcamError} If the model has no such parameter.
   */
  tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor) return tensor;
    throw new GapcamError(
      "invalid-argument",
      `Cannot find parameter ${JSON.stringify(name)}: the model has ${
        [...this.#tensors.keys()].join(", ") || "none"
      }`,
    );
  }

  /**
   * Copies all parameters and running statistics to the host.
   *
   * @returns Values by name, in the model's order.
   */
  state(): StateDict {
    return new Map(
      this.parameters.map(({ name, shape }) => [
        name,
        { shape, data: this.tensor(name).read() },
      ]),
    );
  }

  /**
   * Replaces all parameters and running statistics.
   *
   * @param state A value for each of {@linkcode parameters}.
   * @throws {GapcamError} If a tensor is missing, unknown or of another shape;
   * nothing is changed then.
   */
  load(state: StateDict): void {
    assertFits(this.parameters, state);
    for (const [name, { data }] of state) this.tensor(name).write(data);
  }

  /** Frees the parameters. Programs compiled before keep working until disposed of. */
  [Symbol.dispose](): void {
    for (const tensor of this.#tensors.values()) tensor[Symbol.dispose]();
    this.#tensors.clear();
  }
}

function assertFits(
  parameters: readonly Parameter[],
  state: StateDict,
): void {
  const problems: string[] = [];
  for (const { name, shape } of parameters) {
    const found = state.get(name);
    if (!found) problems.push(`${name} is missing`);
    else if (found.shape.join() !== shape.join()) {
      problems.push(
        `${name} is [${found.shape.join(", ")}], expected [${
          shape.join(", ")
        }]`,
      );
    }
  }
  const known = new Set(parameters.map(({ name }) => name));
  for (const name of state.keys()) {
    if (!known.has(name)) problems.push(`${name} is not in the model`);
  }
  if (problems.length === 0) return;
  // Names may come from a file that anybody wrote.
  const shown = problems.slice(0, 5).map((one) => printable(one)).join("; ");
  const more = problems.length > 5 ? `; and ${problems.length - 5} more` : "";
  throw new GapcamError(
    "shape-mismatch",
    `Cannot load parameters: ${shown}${more}`,
  );
}
