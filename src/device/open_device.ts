import { GapcamError } from "../error.ts";
import {
  type Backend,
  check,
  messageBuffer,
  openLibrary,
  readDescription,
} from "./_library.ts";
import type { BackendDescription } from "./descriptions.ts";
import { Device } from "./device.ts";
import {
  type DeviceKind,
  type DeviceOptions,
  MOST_THREADS,
  PRECISIONS,
} from "./device_options.ts";

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
export function openDevice<Kind extends DeviceKind = "auto">(
  kind?: Kind,
  options?: DeviceOptions,
): Device<Kind extends Backend ? Kind : Backend>;
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
    // A number of a GPU is none of the CPU, which is one.
    return openBackend("cpu", { ...options, index: 0 }, `no CUDA: ${reason}`);
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
 * import { describeBackend } from "@gapcam/gapcam/device";
 *
 * if (describeBackend("cpu").backend !== "cpu") throw new Error();
 * ```
 */
export function describeBackend<B extends Backend>(
  backend: B,
  options: { libraryFolder?: string } = {},
): BackendDescription[B] {
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
