import { GapcamError } from "../error.ts";
import { elementCount, type HostTensor } from "../host_tensor.ts";
import { kindOf } from "./_file_kind.ts";
import { quote } from "./_quote.ts";
import { readBytes } from "./_read_bytes.ts";
import { type StoredType, toHostTensor } from "./stored_tensor.ts";

/** Types that `numpy.save` writes and that are read, by their codes. */
const TYPES: Readonly<Record<string, StoredType>> = {
  "<f2": "F16",
  "<f4": "F32",
  "<f8": "F64",
  "|u1": "U8",
  "|i1": "I8",
  "<i4": "I32",
  "<i8": "I64",
};

/** Dimensions, at most. */
const RANK_LIMIT = 32;

/**
 * Reads an array that `numpy.save` wrote: numbers in C order, little-endian.
 *
 * @param path A file, `.npy`.
 * @returns The array as 32-bit floats.
 * @throws {GapcamError} If the file cannot be read, is none or damaged, or holds
 * what is not known.
 *
 * @example
 * ```ts
 * import { encodeNpy } from "@gapcam/gapcam/cam";
 * import { readNpy } from "@gapcam/gapcam/weights";
 *
 * const path = await Deno.makeTempFile();
 * await Deno.writeFile(path, encodeNpy({ height: 1, width: 2, data: Float32Array.of(1, 2) }));
 * const { shape, data } = await readNpy(path);
 * if (shape.join() !== "1,2" || data.join() !== "1,2") throw new Error("unexpected");
 * await Deno.remove(path);
 * ```
 */
export async function readNpy(path: string): Promise<HostTensor> {
  const bytes = await readBytes(path);
  try {
    return parseNpy(bytes);
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    throw new GapcamError(
      error.code,
      `Cannot read ${path}: ${error.message}`,
      { cause: error },
    );
  }
}

/**
 * Reads the bytes of such a file.
 *
 * @throws {GapcamError} As {@linkcode readNpy}; the message does not name the file.
 */
export function parseNpy(bytes: Uint8Array): HostTensor {
  const magic = String.fromCharCode(...bytes.subarray(0, 6));
  if (magic !== "\x93NUMPY") {
    bad(`it is ${kindOf(bytes)}, expected an array of numpy.save`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes[6];
  if (version === undefined || version < 1 || version > 3) {
    bad(`it has version ${version ?? "none"} of the format, expected 1 to 3`);
  }
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) bad("it is cut off");
  const length = version === 1
    ? view.getUint16(8, true)
    : view.getUint32(8, true);
  if (length > bytes.length - start) bad("it is cut off");
  const header = new TextDecoder().decode(
    bytes.subarray(start, start + Math.min(length, 65536)),
  );
  const code = /'descr': *'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order': *(True|False)/.exec(header)?.[1];
  const sizes = /'shape': *\(([\d, ]*)\)/.exec(header)?.[1];
  if (code === undefined || order === undefined || sizes === undefined) {
    bad("its header does not say type, order and shape of one array");
  }
  const dtype = Object.hasOwn(TYPES, code) ? TYPES[code] : undefined;
  if (dtype === undefined) {
    bad(
      `its values have type ${quote(code)}, expected one of ${
        Object.keys(TYPES).join(", ")
      }`,
    );
  }
  if (order === "True") {
    bad(
      "its values are in Fortran order, expected C order; save " +
        "numpy.ascontiguousarray of it",
    );
  }
  const shape = sizes.split(",").map((size) => size.trim())
    .filter((size) => size !== "").map(Number);
  const count = elementCount(shape);
  if (shape.length > RANK_LIMIT || !Number.isSafeInteger(count)) {
    bad(`its shape is (${sizes.slice(0, 100)})`);
  }
  const values = bytes.subarray(start + length);
  const size = bytesEach(code);
  if (values.length !== count * size) {
    bad(
      `it has ${values.length} bytes of values, expected ${count * size} for ` +
        `${code} (${shape.join(", ")})`,
    );
  }
  return toHostTensor({ dtype, shape, bytes: values });
}

function bytesEach(code: string): number {
  return Number(code.slice(2));
}

function bad(problem: string): never {
  throw new GapcamError("bad-data", problem);
}
