import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { GapcamError } from "../error.ts";
import type { StateDict } from "../host_tensor.ts";
import type { Network } from "../nn/network.ts";

/**
 * An exponential moving average of a network's parameters and running
 * statistics (EMA; Polyak & Juditsky 1992), on the network's device. After step
 * n the average moves towards the network by `1 - min(decay, (1 + n) / (10 +
 * n))`: the first steps count little, as in TensorFlow's
 * `ExponentialMovingAverage`.
 */
export class WeightAverage implements Disposable {
  readonly #decay: number;
  readonly #average: ReadonlyMap<string, Tensor>;
  readonly #settings: Tensor;
  readonly #program: Program;
  readonly #stack: DisposableStack;

  private constructor(parts: {
    decay: number;
    average: ReadonlyMap<string, Tensor>;
    settings: Tensor;
    program: Program;
    stack: DisposableStack;
  }) {
    this.#decay = parts.decay;
    this.#average = parts.average;
    this.#settings = parts.settings;
    this.#program = parts.program;
    this.#stack = parts.stack;
  }

  /**
   * Begins at the network as it is, or where a checkpoint's average was.
   *
   * @throws {GapcamError} If a tensor is missing or of another shape.
   */
  static async create(
    network: Network,
    options: { decay: number; average?: StateDict | undefined },
  ): Promise<WeightAverage> {
    const { device, parameters } = network;
    using stack = new DisposableStack();
    const average = new Map(parameters.map(({ name, shape }) => {
      const data = options.average
        ? dataOf(options.average, name, shape)
        : network.tensor(name).read();
      return [name, stack.use(device.tensor(shape, { data }))];
    }));
    const settings = stack.use(device.tensor([2]));
    const program = stack.use(device.program());
    program.blend(
      [...average.values()],
      parameters.map(({ name }) => network.tensor(name)),
      { settings },
    );
    await program.compile();
    const { decay } = options;
    return new WeightAverage({
      ...{ decay, average, settings, program, stack: stack.move() },
    });
  }

  /** Takes the network in as it is after step `step`, from 1. */
  update(step: number): void {
    const kept = Math.min(this.#decay, (1 + step) / (10 + step));
    this.#settings.write(Float32Array.of(kept, 1 - kept));
    this.#program.runSync("update");
  }

  /** The averages by name, as they are now. */
  state(): StateDict {
    return new Map([...this.#average].map(([name, tensor]) => [
      name,
      { shape: tensor.shape, data: tensor.read() },
    ]));
  }

  /** Frees the averages. */
  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

function dataOf(
  average: StateDict,
  name: string,
  shape: readonly number[],
): Float32Array {
  const found = average.get(name);
  if (found?.shape.join() === shape.join()) {
    return Float32Array.from(found.data);
  }
  throw new GapcamError(
    "shape-mismatch",
    `Cannot go on with the average of ${name}: found ${
      found ? `[${found.shape.join(", ")}]` : "none"
    }, expected [${shape.join(", ")}]`,
  );
}
