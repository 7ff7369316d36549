import type { Communicator } from "../device/communicator.ts";
import type { Device } from "../device/device.ts";
import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";

/**
 * What a training program has beside its own where it is one of several, each
 * with a part of the batch: so that all take the step of the whole batch.
 */
export class WholeBatch {
  /** What this rank's loss adds to. */
  readonly own: Tensor;
  readonly #communicator: Communicator;
  readonly #settings: Tensor;

  /** Makes its tensors, which `stack` owns. */
  constructor(
    communicator: Communicator,
    device: Device,
    stack: DisposableStack,
  ) {
    this.#communicator = communicator;
    this.own = stack.use(device.tensor([8]));
    this.#settings = stack.use(device.tensor([2]));
  }

  /**
   * Records what makes `metrics` those of the whole batch; gives the gradient
   * that this rank's loss has in it.
   */
  record(program: Program, metrics: Tensor): Tensor {
    const settings = this.#settings;
    return program.wholeBatch(this.own, { settings, metrics });
  }

  /** Before a run: what this rank's loss is divided by, and its wish to stop. */
  write(divisor: number, stop: boolean): void {
    this.#settings.write(Float32Array.of(divisor, Number(stop)));
  }

  /**
   * Of a step that accumulates batches: what the whole step's loss is divided by,
   * and how many batches the rank with most of them has.
   */
  async agree(
    divisor: number,
    batches: number,
  ): Promise<{ divisor: number; batches: number }> {
    const all = await this.#communicator.gather(
      Float64Array.of(divisor, batches),
    );
    return {
      divisor: all.reduce((sum, [one]) => sum + one!, 0),
      batches: Math.max(...all.map(([, one]) => one!)),
    };
  }
}
