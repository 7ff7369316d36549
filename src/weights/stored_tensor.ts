import { GapcamError } from "../error.ts";
import { bfloat16ToFloat32, float16ToFloat32 } from "./_half.ts";
import type { HostTensor, StateDict } from "../host_tensor.ts";

/** Element types of files, under safetensors' names, and their bytes. */
export const ELEMENT_BYTES = {
  // Packed: two or four in one or three bytes.
  F4: 0.5,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  C64: 8,
  F64: 8,
  I64: 8,
  U64: 8,
} as const satisfies Record<string, number>;

/** An element type of a file, such as `F32` or `BF16`. */
export type StoredType = keyof typeof ELEMENT_BYTES;

/** A tensor as a file holds it: little-endian values in row-major order. */
export interface StoredTensor {
  /** Type of the elements. */
  readonly dtype: StoredType;
  /** Dimensions, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /** The values; often a view of a whole file's bytes. */
  readonly bytes: Uint8Array;
}

/**
 * Gives a stored tensor's values as 32-bit floats.
 *
 * `F32` values that lie on a multiple of four bytes are not copied: the result
 * then shares memory with the tensor. Other types are converted, rounding to
 * nearest where 32-bit floats cannot hold a value.
 *
 * @param tensor Any tensor of a safetensors or PyTorch file.
 * @param name What the error calls it.
 * @returns The same shape, in 32-bit floats.
 * @throws {GapcamError} If the type has no such conversion (8-bit floats and
 * complex numbers).
 *
 * @example A half-precision one
 * ```ts
 * import { toHostTensor } from "@gapcam/gapcam/weights";
 *
 * const bytes = new Uint8Array([0x00, 0x3c]);
 * const tensor = toHostTensor({ dtype: "F16", shape: [1], bytes });
 * if (tensor.data[0] !== 1) throw new Error();
 * ```
 */
export function toHostTensor(
  tensor: StoredTensor,
  name = "a tensor",
): HostTensor {
  const { shape, dtype } = tensor;
  return { shape, data: toFloat32(dtype, tensor.bytes, name) };
}

/**
 * Gives all tensors of a file as 32-bit floats, in the file's order.
 *
 * @param tensors Tensors by name.
 * @returns The same names and shapes.
 * @throws {GapcamError} If a tensor has a type without conversion.
 *
 * @example Bytes as floats
 * ```ts
 * import { toStateDict } from "@gapcam/gapcam/weights";
 *
 * const mask = { dtype: "BOOL", shape: [2], bytes: new Uint8Array([1, 0]) } as const;
 * const state = toStateDict(new Map([["mask", mask]]));
 * if (state.get("mask")?.data.join() !== "1,0") throw new Error();
 * ```
 */
export function toStateDict(
  tensors: ReadonlyMap<string, StoredTensor>,
): StateDict {
  return new Map(
    [...tensors].map(([name, tensor]) => [name, toHostTensor(tensor, name)]),
  );
}

/** A tensor of a file or of memory as 32-bit floats of this shape. */
export function hostTensorOf(
  tensor: HostTensor | StoredTensor,
  { name, shape }: { name: string; shape: readonly number[] },
): HostTensor {
  const host = "data" in tensor ? tensor : toHostTensor(tensor, name);
  return host.shape.join() === shape.join() ? host : { ...host, shape };
}

/** Whether elements are real numbers that 32-bit floats can hold. */
export function isFloat(tensor: HostTensor | StoredTensor): boolean {
  return "data" in tensor ||
    ["F32", "F16", "BF16", "F64"].includes(tensor.dtype);
}

function toFloat32(
  dtype: StoredType,
  bytes: Uint8Array,
  name: string,
): Float32Array {
  switch (dtype) {
    case "F32":
      return view(bytes, Float32Array);
    case "F64":
      return new Float32Array(view(bytes, Float64Array));
    case "F16":
      return float16ToFloat32(view(bytes, Uint16Array));
    case "BF16":
      return bfloat16ToFloat32(view(bytes, Uint16Array));
    case "I64":
      return Float32Array.from(view(bytes, BigInt64Array), Number);
    case "U64":
      return Float32Array.from(view(bytes, BigUint64Array), Number);
    case "I32":
      return new Float32Array(view(bytes, Int32Array));
    case "U32":
      return new Float32Array(view(bytes, Uint32Array));
    case "I16":
      return new Float32Array(view(bytes, Int16Array));
    case "U16":
      return new Float32Array(view(bytes, Uint16Array));
    case "I8":
      return new Float32Array(view(bytes, Int8Array));
    case "U8":
      return new Float32Array(bytes);
    case "BOOL":
      return Float32Array.from(bytes, (byte) => byte === 0 ? 0 : 1);
    default:
      throw new GapcamError(
        "unsupported",
        `Cannot read ${name} as 32-bit floats: its elements are ${dtype}, ` +
          "expected F32, F64, F16, BF16, an integer type or BOOL",
      );
  }
}

interface ArrayClass<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

/** A typed array over the same memory; over a copy where it is not aligned. */
function view<T>(bytes: Uint8Array, Class: ArrayClass<T>): T {
  const size = Class.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new Class(
    aligned.buffer,
    aligned.byteOffset,
    Math.floor(aligned.byteLength / size),
  );
}
