import { GapcamError } from "../error.ts";
import { quote } from "../weights/_quote.ts";
import {
  ELEMENT_BYTES,
  type StoredTensor,
  type StoredType,
} from "../weights/stored_tensor.ts";
import {
  floatsOf,
  integersOf,
  textOf,
  type WireField,
  wireFields,
} from "./_wire.ts";

/** Where a tensor's values are if they are in a file of their own. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  readonly length: number | undefined;
}

/** An initialiser: its values, or where they are. */
export type OnnxTensor =
  | StoredTensor
  | (Omit<StoredTensor, "bytes"> & { readonly external: ExternalData });

/** So many bytes have a length of three bytes and a tag in front of them. */
const MOVED_FROM = 2 ** 14;

const TYPES: Readonly<Record<number, StoredType>> = {
  1: "F32",
  2: "U8",
  3: "I8",
  4: "U16",
  5: "I16",
  6: "I32",
  7: "I64",
  9: "BOOL",
  10: "F16",
  11: "F64",
  12: "U32",
  13: "U64",
  16: "BF16",
};

/** Dimensions of a tensor, at most: more than any layer's has. */
const RANK_LIMIT = 8;

/** Reads a TensorProto. */
export function parseTensor(
  bytes: Uint8Array,
): { name: string; tensor: OnnxTensor } {
  const shape: number[] = [];
  const external: Record<string, string> = Object.create(null);
  const listed: WireField[] = [];
  let [name, type, raw, isExternal] = ["", 0, undefined, false] as [
    string,
    number,
    Uint8Array | undefined,
    boolean,
  ];
  for (const part of wireFields(bytes)) {
    if (part.field === 1) {
      for (const size of integersOf(part)) shape.push(size);
      if (shape.length > RANK_LIMIT) {
        throw new GapcamError(
          "bad-data",
          `one of its tensors has more than ${RANK_LIMIT} dimensions`,
        );
      }
    }
    if (part.field === 2) type = part.value;
    else if (part.field === 8) name = textOf(part);
    else if (part.field === 9) raw = part.bytes;
    else if (part.field === 13) {
      const [key, value] = parseEntry(part.bytes);
      external[key] = value;
    } else if (part.field === 14) isExternal = part.value === 1;
    else if ([4, 5, 7, 10, 11].includes(part.field)) listed.push(part);
  }
  const dtype = TYPES[type];
  if (dtype === undefined) {
    throw new GapcamError(
      "unsupported",
      `tensor ${quote(name)} has elements of type ${type}, which is not known`,
    );
  }
  const count = shape.reduce((product, size) => product * size, 1);
  if (shape.some((size) => size < 0) || !Number.isSafeInteger(count)) {
    throw new GapcamError(
      "bad-data",
      `tensor ${quote(name)} has the shape [${shape.join(", ")}]`,
    );
  }
  if (isExternal) {
    return { name, tensor: { dtype, shape, external: externalOf(external) } };
  }
  const data = raw ? aligned(raw) : bytesOfList(dtype, listed);
  const length = count * ELEMENT_BYTES[dtype];
  if (data.length !== length) {
    throw new GapcamError(
      "bad-data",
      `tensor ${quote(name)} has ${data.length} bytes, expected ${length} ` +
        `for ${dtype} [${shape.join(", ")}]`,
    );
  }
  return { name, tensor: { dtype, shape, bytes: data } };
}

/**
 * The same bytes at a multiple of four: moved over the three bytes or fewer in
 * front of them, which said how many they are and have been read.
 */
function aligned(raw: Uint8Array): Uint8Array {
  const shift = raw.byteOffset % 4;
  if (shift === 0 || raw.length < MOVED_FROM) return raw;
  const moved = new Uint8Array(
    raw.buffer,
    raw.byteOffset - shift,
    raw.length,
  );
  moved.set(raw);
  return moved;
}

/** Values that stand one by one in the file, as raw bytes. */
function bytesOfList(
  dtype: StoredType,
  parts: readonly WireField[],
): Uint8Array {
  if (dtype === "F32") {
    return new Uint8Array(Float32Array.from(parts.flatMap(floatsOf)).buffer);
  }
  if (dtype === "F64") {
    return Uint8Array.from(parts.flatMap(({ bytes }) => [...bytes]));
  }
  const values = parts.flatMap(integersOf);
  switch (ELEMENT_BYTES[dtype]) {
    case 1:
      return Uint8Array.from(values);
    case 2:
      return new Uint8Array(Uint16Array.from(values).buffer);
    case 4:
      return new Uint8Array(Int32Array.from(values).buffer);
    default:
      return new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer);
  }
}

function externalOf(entries: Record<string, string>): ExternalData {
  const { location = "", offset = "0", length } = entries;
  return {
    location,
    offset: Number(offset),
    length: length === undefined ? undefined : Number(length),
  };
}

/** Reads a name and a text. */
export function parseEntry(bytes: Uint8Array): [key: string, value: string] {
  let key = "";
  let value = "";
  for (const part of wireFields(bytes)) {
    if (part.field === 1) key = textOf(part);
    else if (part.field === 2) value = textOf(part);
  }
  return [key, value];
}
