import { nodePath, nodeUrl } from "../_node.ts";
import { exists } from "../_files.ts";
import { GapcamError, type GapcamErrorCode } from "../error.ts";
import {
  ABI_VERSION,
  MESSAGE_BYTES,
  SYMBOLS,
  type Symbols,
} from "./_symbols.ts";

/** A backend that has a library of its own. */
export type Backend = "cpu" | "cuda";

/** Error codes by `gapcam_status`. */
export const STATUS_CODES: readonly GapcamErrorCode[] = [
  "internal", // 0 is success and never looked up
  "invalid-argument",
  "invalid-handle",
  "shape-mismatch",
  "unsupported",
  "out-of-memory",
  "device-unavailable",
  "device-failed",
  "internal",
  "rank-failed",
];

/**
 * A buffer for one message of the library. Calls that run at once need one
 * each, so it is made per call where a call may not block.
 */
export function messageBuffer(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(MESSAGE_BYTES);
}

/** Reads the NUL-terminated text at the start of a buffer. */
export function readText(buffer: Uint8Array): string {
  const end = buffer.indexOf(0);
  return new TextDecoder().decode(
    buffer.subarray(0, end < 0 ? undefined : end),
  );
}

/** Turns a status that is not 0, and its message, into an error. */
export function check(status: number, message: Uint8Array): void {
  if (status === 0) return;
  throw new GapcamError(STATUS_CODES[status] ?? "internal", readText(message));
}

const shared = messageBuffer();

/** Runs a call that blocks, handing it the place for its message. */
export function call(run: (message: Uint8Array<ArrayBuffer>) => number): void {
  check(run(shared), shared);
}

/**
 * Reads a description, in a larger buffer where the first is too small.
 *
 * @param describe One of the library's functions that describe something.
 */
export function readDescription<T>(
  describe: (
    json: Uint8Array<ArrayBuffer>,
    capacity: bigint,
    needed: BigUint64Array<ArrayBuffer>,
    message: Uint8Array<ArrayBuffer>,
  ) => number,
): T {
  const needed = new BigUint64Array(1);
  const message = messageBuffer();
  let json = new Uint8Array(1 << 16);
  for (;;) {
    const status = describe(json, BigInt(json.length), needed, message);
    if (status === 0) return JSON.parse(readText(json));
    if (Number(needed[0]) <= json.length) check(status, message);
    json = new Uint8Array(Number(needed[0]));
  }
}

/** Where the libraries are looked for: `folder`, GAPCAM_LIBRARY_FOLDER, or `build` beside mod.ts. */
export function libraryFolder(folder?: string): string {
  const named = folder ?? Deno.env.get("GAPCAM_LIBRARY_FOLDER");
  if (named) return nodePath().resolve(named);
  const url = new URL("../../build", import.meta.url);
  if (url.protocol === "file:") return nodeUrl().fileURLToPath(url);
  throw new GapcamError(
    "device-unavailable",
    `Cannot open a device: gapcam was imported from ${url.origin}, which ` +
      "holds no native libraries; build them in a checkout and set " +
      "GAPCAM_LIBRARY_FOLDER to its build folder",
  );
}

const opened = new Map<string, Symbols>();

/**
 * Opens a backend's library, once a process; it stays open, because a call may
 * still be in flight when its device is closed.
 *
 * @throws {GapcamError} If the library is missing, cannot be loaded or was
 * built for another ABI version.
 */
export function openLibrary(backend: Backend, folder?: string): Symbols {
  const path = `${libraryFolder(folder)}/libgapcam_${backend}.so`;
  const known = opened.get(path);
  if (known) return known;
  const device = backend === "cpu" ? "CPU" : "CUDA";
  if (!exists(path)) {
    throw new GapcamError(
      "device-unavailable",
      `Cannot open the ${device} device: ${path} does not exist; ` +
        "build it with: sh scripts/setup.sh",
    );
  }
  using _waiting = waitBriefly();
  assertAbiVersion(path, device);
  try {
    const { symbols } = Deno.dlopen(path, SYMBOLS);
    opened.set(path, symbols);
    return symbols;
  } catch (error) {
    throw unloadable(path, device, error);
  }
}

/**
 * Lets the CPU library's threads sleep soon where they wait for each other.
 * GCC's OpenMP has them spin 300,000 times, for a millisecond or so, which takes
 * the cores from whatever else would run: beside one busy process a step took
 * 1.1 times as long. Sleeping too soon costs wake-ups: of 1,000 to 300,000
 * turns, 10,000 were as fast as any on free cores. OpenMP reads the variable
 * when it is loaded, so it is set until then and no longer.
 */
function waitBriefly(): Disposable {
  const variables = ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"];
  const allowed = variables.every((variable) =>
    Deno.permissions.querySync({ name: "env", variable }).state === "granted"
  );
  const [set] = variables;
  if (!allowed || variables.some((variable) => Deno.env.has(variable))) {
    return { [Symbol.dispose]() {} };
  }
  Deno.env.set(set!, "10000");
  return { [Symbol.dispose]: () => Deno.env.delete(set!) };
}

// Asked for alone first: a library of another version may lack other symbols.
function assertAbiVersion(path: string, device: string): void {
  let version: number;
  try {
    const library = Deno.dlopen(path, {
      gapcam_abi_version: SYMBOLS.gapcam_abi_version,
    });
    version = library.symbols.gapcam_abi_version();
    library.close();
  } catch (error) {
    throw unloadable(path, device, error);
  }
  if (version !== ABI_VERSION) {
    throw new GapcamError(
      "device-unavailable",
      `Cannot open the ${device} device: ${path} has ABI version ${version}, ` +
        `expected ${ABI_VERSION}; rebuild it with: sh scripts/setup.sh`,
    );
  }
}

function unloadable(path: string, device: string, cause: unknown): Error {
  if (cause instanceof Deno.errors.NotCapable) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new GapcamError(
    "device-unavailable",
    `Cannot open the ${device} device: ${path} cannot be loaded (${reason}); ` +
      "rebuild it with: sh scripts/setup.sh",
    { cause },
  );
}
