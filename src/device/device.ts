import { GapcamError } from "../error.ts";
import {
  type Backend,
  call,
  check,
  messageBuffer,
  openLibrary,
  readDescription,
} from "./_library.ts";
import { Lifetime } from "./_lifetime.ts";
import { MAX_RANK, type Symbols } from "./_symbols.ts";
import { Program, type ProgramOptions } from "./program.ts";
import {
  Tensor,
  TENSOR_TYPES,
  type TensorData,
  type TensorType,
} from "./tensor.ts";

/** Which device to open: `auto` takes CUDA where it works, else the CPU. */
export type DeviceKind = "auto" | Backend;

/** How a device multiplies; see {@linkcode DeviceOptions.precision}. */
export type Precision = "f32" | "tf32" | "bf16";

/** {@linkcode Precision} in the order of `gapcam_precision`. */
export const PRECISIONS: readonly Precision[] = ["f32", "tf32", "bf16"];

/**
 * @ignore The most threads that may be asked for: more than a few for each
 * processor only wait for each other, for minutes.
 */
export const MOST_THREADS = Math.max(64, 4 * navigator.hardwareConcurrency);

/** Options of {@linkcode openDevice}. */
export interface DeviceOptions {
  /** Which of several devices of the kind, from 0. Default: 0. */
  index?: number;
  /**
   * `f32` (exact), `tf32` (CUDA: TF32 multiplication), `bf16` (bf16 maps; f32
   * master weights, accumulation and loss). Default: `f32`.
   */
  precision?: Precision;
  /**
   * CPU threads, from 1 to 64 or four for each processor, whichever is more; all
   * that the process may run on if left out.
   */
  threads?: number;
  /** Waits after each step, so that an error names it. Default: false. */
  synchronous?: boolean;
  /** Folder of the native libraries. Default: GAPCAM_LIBRARY_FOLDER, or `build` beside mod.ts. */
  libraryFolder?: string;
}

/** What a device holds; see {@linkcode Device.memory}. */
export interface DeviceMemory {
  /** Bytes held now by tensors and programs. */
  liveBytes: number;
  /** The most bytes held at once since the device was opened. */
  peakBytes: number;
  /** Allocations held now. */
  allocations: number;
  /** Bytes that are free on the device; 0 if unknown. */
  freeBytes: number;
}

/** Options of {@linkcode Device.tensor}. */
export interface TensorOptions {
  /** Element type. Default: that of `data`, else `f32`. */
  type?: TensorType;
  /** Values; zeros if left out. */
  data?: TensorData;
  /**
   * Whether the tensor may be written while a program runs; the next run takes
   * what was written. For images and labels. Default: false.
   */
  staged?: boolean;
}

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
export class Device implements Disposable {
  readonly #symbols: Symbols;
  readonly #lifetime = new Lifetime(this);
  #handle: bigint;
  /** Which backend it runs on. */
  readonly backend: Backend;
  /** How it multiplies. */
  readonly precision: Precision;
  /** Why this device: `asked for`, or what `auto` found. */
  readonly reason: string;

  /** @ignore Devices are opened by {@linkcode openDevice}. */
  constructor(
    symbols: Symbols,
    handle: bigint,
    options: { backend: Backend; precision: Precision; reason: string },
  ) {
    this.#symbols = symbols;
    this.#handle = handle;
    this.backend = options.backend;
    this.precision = options.precision;
    this.reason = options.reason;
    registry.register(this, { symbols, handle }, this);
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
  describe(): Record<string, unknown> {
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

/**
 * Opens a device.
 *
 * @param kind `auto` (CUDA where it works, else the CPU; `device.reason` says
 * which and why), `cpu` or `cuda`.
 * @param options Number, precision, threads.
 * @returns The device, which the caller closes.
 * @throws {GapcamError} If the library is missing, or the device, the precision
 * or the number of threads cannot be had.
 *
 * @example Opening the CPU
 * ```ts
 * import { openDevice } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using tensor = device.tensor([2], { data: new Float32Array([1, 2]) });
 * if (tensor.read()[1] !== 2) throw new Error("unexpected");
 * ```
 */
export function openDevice(
  kind: DeviceKind = "auto",
  options: DeviceOptions = {},
): Device {
  assertOneOf("device", kind, ["auto", "cpu", "cuda"]);
  assertOptions(options);
  if (kind !== "auto") return openBackend(kind, options, "asked for");
  let reason: string;
  try {
    return openBackend("cuda", options, "CUDA works");
  } catch (error) {
    // Whoever grants the CPU's library alone has chosen the CPU.
    const expected = error instanceof GapcamError ||
      error instanceof Deno.errors.NotCapable;
    if (!expected) throw error;
    reason = error.message;
  }
  try {
    return openBackend("cpu", options, `no CUDA: ${reason}`);
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    throw new GapcamError(
      error.code,
      `${error.message}; CUDA was tried first: ${reason}`,
      { cause: error },
    );
  }
}

/**
 * Describes a backend without opening a device.
 *
 * @param backend `cpu` or `cuda`.
 * @param options `libraryFolder`, as for {@linkcode openDevice}.
 * @returns `backend`, `version`, and what it knows: libraries or why they are
 * missing, instruction set, devices.
 * @throws {GapcamError} If the backend's library is missing or of another version.
 *
 * @example The CPU's library and version
 * ```ts
 * import { describeBackend } from "@gapcam/gapcam";
 *
 * if (describeBackend("cpu").backend !== "cpu") throw new Error();
 * ```
 */
export function describeBackend(
  backend: Backend,
  options: { libraryFolder?: string } = {},
): Record<string, unknown> {
  const symbols = openLibrary(backend, options.libraryFolder);
  return readDescription(symbols.gapcam_backend_describe);
}

function assertOneOf(
  what: string,
  value: string,
  allowed: readonly string[],
): void {
  if (allowed.includes(value)) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot open a device: found ${what} ${JSON.stringify(value)}, ` +
      `expected one of ${allowed.join(", ")}`,
  );
}

function assertOptions(options: DeviceOptions): void {
  const { index = 0, threads } = options;
  assertOneOf("precision", options.precision ?? "f32", PRECISIONS);
  if (!Number.isSafeInteger(index) || index < 0 || index > 1023) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot open device number ${index}: expected a whole number from 0`,
    );
  }
  if (
    threads !== undefined &&
    (!Number.isSafeInteger(threads) || threads < 1 ||
      threads > MOST_THREADS)
  ) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot open a device with ${threads} threads: ` +
        `expected a whole number from 1 to ${MOST_THREADS}`,
    );
  }
}

function openBackend(
  backend: Backend,
  options: DeviceOptions,
  reason: string,
): Device {
  const precision = options.precision ?? "f32";
  const symbols = openLibrary(backend, options.libraryFolder);
  const opened = new BigUint64Array(1);
  const message = messageBuffer();
  check(
    symbols.gapcam_device_open(
      options.index ?? 0,
      PRECISIONS.indexOf(precision),
      options.threads ?? 0,
      options.synchronous ? 1 : 0,
      opened,
      message,
    ),
    message,
  );
  return new Device(symbols, opened[0]!, { backend, precision, reason });
}

function typeOf(data: TensorData | undefined): TensorType {
  return data instanceof Uint8Array
    ? "u8"
    : data instanceof Int32Array
    ? "i32"
    : "f32";
}
