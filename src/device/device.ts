import { GapcamError } from "../error.ts";
import { type Backend, call, readDescription } from "./_library.ts";
import { Lifetime } from "./_lifetime.ts";
import type { Communicator } from "./communicator.ts";
import { MAX_RANK, type Symbols } from "./_symbols.ts";
import type { DeviceDescription } from "./descriptions.ts";
import type {
  DeviceMemory,
  Precision,
  TensorOptions,
} from "./device_options.ts";
import { Program } from "./program.ts";
import type { ProgramOptions } from "./program_options.ts";
import {
  Tensor,
  TENSOR_TYPES,
  type TensorData,
  type TensorType,
} from "./tensor.ts";

const registry = new FinalizationRegistry<{ symbols: Symbols; handle: bigint }>(
  ({ symbols, handle }) => symbols.gapcam_device_close(handle, null),
);

/**
 * An open device: where tensors live and programs run. Made by
 * {@linkcode openDevice}.
 *
 * @example What a tensor takes is given back
 * ```ts
 * import { openDevice } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * {
 *   using _tensor = device.tensor([256, 256]);
 *   if (device.memory().liveBytes < 256 * 256 * 4) throw new Error();
 * }
 * if (device.memory().liveBytes !== 0) throw new Error();
 * ```
 */
export class Device<B extends Backend = Backend> implements Disposable {
  readonly #symbols: Symbols;
  readonly #lifetime = new Lifetime(this);
  #handle: bigint;
  /** Which backend it runs on. */
  readonly backend: B;
  /** How it multiplies. */
  readonly precision: Precision;
  /** Why this device: `asked for`, or what `auto` found. */
  readonly reason: string;
  /**
   * Whether a run goes on after it was started, so that reading what it
   * computed waits for it: so a GPU does.
   */
  readonly asynchronous: boolean;

  /** @ignore Devices are opened by {@linkcode openDevice}. */
  constructor(
    symbols: Symbols,
    handle: bigint,
    options: { backend: B; precision: Precision; reason: string },
  ) {
    this.#symbols = symbols;
    this.#handle = handle;
    this.backend = options.backend;
    this.precision = options.precision;
    this.reason = options.reason;
    this.asynchronous = options.backend === "cuda";
    registry.register(this, { symbols, handle }, this);
  }

  /**
   * Joins it with the devices of the other ranks, once, before programs are made
   * that run on all of them: GPUs through NCCL, each rank with one of its own. All
   * ranks must do so.
   *
   * @throws {GapcamError} If NCCL is missing on a rank or of another version, two
   * ranks have one GPU, or CPUs are joined by no MPI.
   */
  async join(communicator: Communicator): Promise<void> {
    await communicator.joinDevice(this.#symbols, this.#use());
  }

  /**
   * Creates a tensor.
   *
   * @param shape One to four positive dimensions; NHWC for u8 images.
   * @param options Element type, values, whether it is staged.
   * @returns The tensor, zeros where no data are given.
   * @throws {GapcamError} If a dimension is not positive, `data` does not fit,
   * or memory runs out.
   */
  tensor(shape: readonly number[], options: TensorOptions = {}): Tensor {
    const type = options.type ?? typeOf(options.data);
    const created = new BigUint64Array(1);
    const possible = shape.length >= 1 && shape.length <= MAX_RANK &&
      shape.every((dimension) =>
        Number.isSafeInteger(dimension) && dimension >= 1
      );
    if (!possible) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot create a tensor of shape [${shape.join(", ")}]: ` +
          `expected 1 to ${MAX_RANK} positive whole numbers`,
      );
    }
    const handle = this.#use();
    call((message) =>
      this.#symbols.gapcam_tensor_create(
        handle,
        TENSOR_TYPES.indexOf(type),
        shape.length,
        BigInt64Array.from(shape, BigInt),
        options.staged ? 1 : 0,
        created,
        message,
      )
    );
    const tensor = new Tensor(this.#symbols, created[0]!, {
      shape: [...shape],
      type,
      lifetime: this.#lifetime,
      owned: true,
    });
    try {
      if (options.data) tensor.write(options.data);
    } catch (error) {
      tensor[Symbol.dispose]();
      throw error;
    }
    return tensor;
  }

  /**
   * Starts recording a program.
   *
   * @param options Whether it trains and whether it times its steps.
   * @returns An empty program.
   * @throws {GapcamError} If the device was closed.
   */
  program(options: ProgramOptions = {}): Program {
    return new Program(this.#symbols, this.#use(), {
      ...options,
      lifetime: this.#lifetime,
    });
  }

  /**
   * Describes what the device is and uses.
   *
   * @returns Names, versions, instruction set, threads.
   * @throws {GapcamError} If the device was closed.
   */
  describe(): DeviceDescription[B] {
    const handle = this.#use();
    return readDescription((...buffers) =>
      this.#symbols.gapcam_device_describe(handle, ...buffers)
    );
  }

  /**
   * Counts what the device holds.
   *
   * @returns Bytes and allocations.
   * @throws {GapcamError} If the device was closed.
   */
  memory(): DeviceMemory {
    const numbers = new BigUint64Array(4);
    const handle = this.#use();
    call((message) =>
      this.#symbols.gapcam_device_memory(handle, numbers, message)
    );
    const [liveBytes, peakBytes, allocations, freeBytes] = Array.from(
      numbers,
      Number,
    ) as [number, number, number, number];
    return { liveBytes, peakBytes, allocations, freeBytes };
  }

  /**
   * Closes the device and destroys every tensor and program on it. Runs in
   * flight go on to their end, with their memory, and their promises are kept.
   */
  [Symbol.dispose](): void {
    if (this.#handle === 0n) return;
    const handle = this.#handle;
    this.#handle = 0n;
    registry.unregister(this);
    this.#lifetime.end("its device was closed", () => {
      call((message) => this.#symbols.gapcam_device_close(handle, message));
    });
  }

  #use(): bigint {
    if (this.#handle === 0n) {
      throw new GapcamError(
        "invalid-handle",
        `Cannot use the ${this.backend} device: it was closed`,
      );
    }
    return this.#handle;
  }
}

function typeOf(data: TensorData | undefined): TensorType {
  return data instanceof Uint8Array
    ? "u8"
    : data instanceof Int32Array
    ? "i32"
    : "f32";
}
