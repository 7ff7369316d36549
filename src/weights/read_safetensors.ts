import { GapcamError } from "../error.ts";
import { quote, shapeText } from "./_quote.ts";
import { readBytes } from "./_read_bytes.ts";
import { parseSafetensorsHeader } from "./_safetensors_header.ts";
import { ELEMENT_BYTES, type StoredTensor } from "./stored_tensor.ts";
import { elementCount } from "../host_tensor.ts";

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** Texts by name. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensors by name, in the order of the file's header. */
  readonly tensors: Map<string, StoredTensor>;
}

/** Greatest length of a header in bytes, as the format's own library has it. */
export const SAFETENSORS_HEADER_LIMIT = 100_000_000;

/**
 * Reads a safetensors file from its bytes without copying them: each tensor is
 * a view. Everything the format demands is checked first, so a damaged or
 * hostile file is an error and never a wrong tensor.
 *
 * @param bytes The whole file.
 * @param options `name`, what errors call the file.
 * @returns Metadata and tensors.
 * @throws {GapcamError} If the bytes are no valid safetensors file.
 *
 * @example From memory
 * ```ts
 * import { encodeSafetensors, parseSafetensors } from "@gapcam/gapcam/weights";
 *
 * const bytes = encodeSafetensors(
 *   new Map([["bias", { shape: [2], data: new Float32Array([1, 2]) }]]),
 *   { format: "pt" },
 * );
 * const { tensors, metadata } = parseSafetensors(bytes);
 * if (tensors.get("bias")?.dtype !== "F32") throw new Error();
 * if (metadata.format !== "pt") throw new Error();
 * ```
 */
export function parseSafetensors(
  bytes: Uint8Array,
  options: { name?: string } = {},
): SafetensorsFile {
  const name = options.name ?? "safetensors bytes";
  try {
    return parse(bytes);
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    throw new GapcamError(
      error.code,
      `Cannot read ${name}: ${error.message}`,
      { cause: error },
    );
  }
}

/**
 * Reads a safetensors file.
 *
 * @param path Path of the file.
 * @returns Metadata and tensors, views over one buffer with the whole file.
 * @throws {GapcamError} If there is no such file or it is damaged.
 *
 * @example Names and shapes of a file
 * ```ts
 * import { readSafetensors, writeSafetensors } from "@gapcam/gapcam/weights";
 *
 * const path = await Deno.makeTempFile();
 * await writeSafetensors(
 *   path,
 *   new Map([["bias", { shape: [2], data: new Float32Array(2) }]]),
 * );
 * const { tensors } = await readSafetensors(path);
 * if (tensors.get("bias")?.shape[0] !== 2) throw new Error();
 * await Deno.remove(path);
 * ```
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  return parseSafetensors(await readBytes(path), { name: path });
}

/**
 * Whether bytes begin as a safetensors file does: the length of a header that
 * begins with a brace. The file may be damaged further on.
 */
export function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 9) return false;
  const head = new DataView(bytes.buffer, bytes.byteOffset, 8);
  if (head.getBigUint64(0, true) > BigInt(SAFETENSORS_HEADER_LIMIT)) {
    return false;
  }
  let at = 8;
  while (isSpace(bytes[at])) at++;
  return at === bytes.length || bytes[at] === 0x7b;
}

/** Whether a byte is a space, line feed, carriage return or tabulator. */
function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function parse(bytes: Uint8Array): SafetensorsFile {
  if (bytes.length < 8) {
    bad(`it has ${bytes.length} bytes, expected at least 8`);
  }
  const head = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const headerLength = head.getBigUint64(0, true);
  if (headerLength > BigInt(SAFETENSORS_HEADER_LIMIT)) {
    bad(
      `its header is said to take ${headerLength} bytes, ` +
        `expected at most ${SAFETENSORS_HEADER_LIMIT}`,
    );
  }
  const dataStart = 8 + Number(headerLength);
  if (dataStart > bytes.length) {
    bad(`its header ends at byte ${dataStart} and the file at ${bytes.length}`);
  }
  const { metadata, entries } = parseSafetensorsHeader(
    decode(bytes.subarray(8, dataStart)),
  );

  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const length = byteLength(dtype, shape);
    if (length !== end - begin) {
      bad(
        `tensor ${quote(name)} takes ${end - begin} bytes, expected ` +
          `${length} for ${dtype} ${shapeText(shape)}`,
      );
    }
    tensors.set(name, {
      dtype,
      shape,
      bytes: bytes.subarray(dataStart + begin, dataStart + end),
    });
  }

  // The tensors must tile the data: no overlap, no gap, nothing behind them.
  let position = 0;
  const sorted = entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  for (const { name, begin, end } of sorted) {
    if (begin !== position) {
      bad(
        `tensor ${quote(name)} begins at byte ${begin} of the data, ` +
          `expected ${position}: tensors may neither overlap nor leave gaps`,
      );
    }
    position = end;
  }
  if (position !== bytes.length - dataStart) {
    bad(
      `its tensors end at byte ${position} of the data, ` +
        `which has ${bytes.length - dataStart} bytes`,
    );
  }
  return { metadata, tensors };
}

function byteLength(
  dtype: StoredTensor["dtype"],
  shape: readonly number[],
): number {
  return ELEMENT_BYTES[dtype] * elementCount(shape);
}

function decode(header: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(header);
  } catch {
    bad("its header is not UTF-8 text");
  }
}

function bad(message: string): never {
  throw new GapcamError("bad-data", message);
}
