import { GapcamError } from "../error.ts";
import type { StateDict } from "../host_tensor.ts";
import type { Network } from "../nn/network.ts";

/**
 * An exponential moving average of a network's parameters and running
 * statistics (EMA; Polyak & Juditsky 1992). After step n the average moves
 * towards the network by `1 - min(decay, (1 + n) / (10 + n))`: the first steps
 * count little, as in TensorFlow's `ExponentialMovingAverage`.
 */
export class WeightAverage {
  readonly #network: Network;
  readonly #decay: number;
  readonly #average: StateDict;
  // What is read of the network, tensor by tensor.
  readonly #read: Float32Array;

  /**
   * Begins at the network as it is, or where a checkpoint's average was.
   *
   * @throws {GapcamError} If a tensor is missing or of another shape.
   */
  constructor(
    network: Network,
    options: { decay: number; average?: StateDict },
  ) {
    this.#network = network;
    this.#decay = options.decay;
    this.#average = options.average
      ? copyOf(network, options.average)
      : network.state();
    const sizes = [...this.#average.values()].map(({ data }) => data.length);
    this.#read = new Float32Array(Math.max(0, ...sizes));
  }

  /** Takes the network in as it is after step `step`, from 1. */
  update(step: number): void {
    const share = 1 - Math.min(this.#decay, (1 + step) / (10 + step));
    for (const [name, { data }] of this.#average) {
      const now = this.#network.tensor(name)
        .read(this.#read.subarray(0, data.length));
      for (let i = 0; i < data.length; i++) {
        data[i]! += share * (now[i]! - data[i]!);
      }
    }
  }

  /** The averages by name; they change with the next step. */
  get state(): StateDict {
    return this.#average;
  }
}

function copyOf(network: Network, average: StateDict): StateDict {
  return new Map(network.parameters.map(({ name, shape }) => {
    const found = average.get(name);
    if (found?.shape.join() === shape.join()) {
      return [name, { shape, data: Float32Array.from(found.data) }];
    }
    throw new GapcamError(
      "shape-mismatch",
      `Cannot go on with the average of ${name}: found ${
        found ? `[${found.shape.join(", ")}]` : "none"
      }, expected [${shape.join(", ")}]`,
    );
  }));
}
