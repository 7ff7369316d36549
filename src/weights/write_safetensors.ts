import { GapcamError } from "../error.ts";
import { concatenate } from "./_concatenate.ts";
import { storedTensor } from "./_stored.ts";
import { writeAtomically } from "../_write_atomically.ts";
import { SAFETENSORS_HEADER_LIMIT } from "./read_safetensors.ts";
import type { HostTensor } from "../host_tensor.ts";
import {
  ELEMENT_BYTES,
  type StoredTensor,
  type StoredType,
} from "./stored_tensor.ts";

/**
 * Writes tensors as a safetensors file, atomically: beside the final name, to
 * the disk, then renamed, so that a crash or a full disk leaves the old file.
 *
 * The same content gives the same bytes, whatever the order of the map:
 * tensors lie as the format's own library lays them, greatest element first,
 * then by name.
 *
 * @param path The file to write.
 * @param tensors Tensors by name.
 * @param metadata Texts by name.
 * @throws {GapcamError} If a tensor's values do not fit its shape, or the file
 * cannot be written.
 *
 * @example With metadata
 * ```ts
 * import { readSafetensors, writeSafetensors } from "@gapcam/gapcam/weights";
 *
 * const path = await Deno.makeTempFile();
 * await writeSafetensors(path, new Map(), { step: "7" });
 * if ((await readSafetensors(path)).metadata.step !== "7") throw new Error();
 * await Deno.remove(path);
 * ```
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor | StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeAtomically(path, layOut(tensors, metadata));
}

/**
 * Gives the bytes that {@linkcode writeSafetensors} writes.
 *
 * @param tensors Tensors by name.
 * @param metadata Texts by name.
 * @returns A whole safetensors file.
 * @throws {GapcamError} If a tensor's values do not fit its shape.
 *
 * @example The header is a multiple of eight bytes
 * ```ts
 * import { encodeSafetensors } from "@gapcam/gapcam/weights";
 *
 * const bytes = encodeSafetensors(new Map());
 * if (bytes.length % 8 !== 0) throw new Error();
 * ```
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, HostTensor | StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  return concatenate(layOut(tensors, metadata));
}

const TYPES = Object.keys(ELEMENT_BYTES) as StoredType[];

function layOut(
  tensors: ReadonlyMap<string, HostTensor | StoredTensor>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array[] {
  const stored = [...tensors]
    .map(([name, tensor]) => ({ name, ...checked(name, tensor) }))
    // By type, so that each tensor begins on a multiple of its element's size.
    .sort((a, b) =>
      TYPES.indexOf(b.dtype) - TYPES.indexOf(a.dtype) ||
      compare(a.name, b.name)
    );
  const texts = Object.entries(metadata).sort(([a], [b]) => compare(a, b));
  const header: [string, unknown][] = [];
  if (texts.length > 0) {
    header.push(["__metadata__", Object.fromEntries(texts)]);
  }
  let position = 0;
  for (const { name, dtype, shape, bytes } of stored) {
    const begin = position;
    position += bytes.length;
    header.push([name, { dtype, shape, data_offsets: [begin, position] }]);
  }
  return [
    encodeHeader(header),
    ...stored.map((tensor) => tensor.bytes),
  ];
}

function encodeHeader(entries: [string, unknown][]): Uint8Array {
  // Not JSON.stringify of one object: it would put names such as "1" first.
  const pairs = entries.map(([name, value]) =>
    `${JSON.stringify(name)}:${JSON.stringify(value)}`
  );
  const text = new TextEncoder().encode(`{${pairs.join(",")}}`);
  const length = Math.ceil(text.length / 8) * 8;
  if (length > SAFETENSORS_HEADER_LIMIT) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot write safetensors: names and metadata take ${length} bytes, ` +
        `expected at most ${SAFETENSORS_HEADER_LIMIT}`,
    );
  }
  const header = new Uint8Array(8 + length).fill(0x20, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(text, 8);
  return header;
}

function checked(
  name: string,
  tensor: HostTensor | StoredTensor,
): StoredTensor {
  if (name === "__metadata__") {
    throw new GapcamError(
      "invalid-argument",
      'Cannot write a tensor named "__metadata__": the format reserves the name',
    );
  }
  return storedTensor(name, tensor);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
