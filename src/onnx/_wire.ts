import { GapcamError } from "../error.ts";

/** One field of a protobuf message. */
export interface WireField {
  /** Its number in the message. */
  readonly field: number;
  /** What follows: 0 a varint, 1 eight bytes, 2 a length and that many bytes, 5 four bytes. */
  readonly type: 0 | 1 | 2 | 5;
  /** A varint as a signed number; 0 otherwise. */
  readonly value: number;
  /** What a field of another type holds, a view. */
  readonly bytes: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();

/**
 * The fields of a protobuf message, in the order of the file. Nothing is
 * copied, and no length is believed that the message does not have.
 *
 * @throws {GapcamError} If the message is cut or is none.
 */
export function* wireFields(message: Uint8Array): Generator<WireField> {
  let position = 0;

  function varint(): number {
    let value = 0;
    for (let shift = 0; shift < 10; shift++) {
      const byte = message[position++];
      if (byte === undefined) cut();
      // Exact below 2^53; a negative number takes all ten bytes.
      if (shift === 9) return signed(message.subarray(position - 10, position));
      value += (byte & 0x7f) * 2 ** (7 * shift);
      if (byte < 0x80) return value;
    }
    return value;
  }

  function take(length: number): Uint8Array {
    if (length < 0 || length > message.length - position) cut();
    position += length;
    return message.subarray(position - length, position);
  }

  while (position < message.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    const type = tag % 8;
    if (field < 1 || field > 2 ** 29 - 1) broken(`field number ${field}`);
    if (type === 0) yield { field, type, value: varint(), bytes: NOTHING };
    else if (type === 2) {
      yield { field, type, value: 0, bytes: take(varint()) };
    } else if (type === 5) yield { field, type, value: 0, bytes: take(4) };
    else if (type === 1) yield { field, type, value: 0, bytes: take(8) };
    else broken(`wire type ${type}`);
  }
}

/** A field's bytes as text. */
export function textOf({ bytes }: WireField): string {
  return decoder.decode(bytes);
}

/** A field's 32-bit float. */
export function floatOf({ bytes, type }: WireField): number {
  if (type !== 5) broken("a number that is no 32-bit float");
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
}

/** Repeated 32-bit floats, one a field or many packed in one. */
export function floatsOf(part: WireField): number[] {
  if (part.type === 5) return [floatOf(part)];
  const { buffer, byteOffset, length } = part.bytes;
  const view = new DataView(buffer, byteOffset, length);
  return Array.from(
    { length: Math.floor(length / 4) },
    (_, i) => view.getFloat32(4 * i, true),
  );
}

/** Repeated varints, one a field or many packed in one. */
export function integersOf(field: WireField): number[] {
  return field.type === 0 ? [field.value] : varintsIn(field.bytes);
}

function varintsIn(bytes: Uint8Array): number[] {
  const values: number[] = [];
  let value = 0;
  let shift = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    value += (byte & 0x7f) * 2 ** (7 * shift++);
    if (byte >= 0x80) {
      if (shift > 9) broken("a number of more than ten bytes");
      continue;
    }
    // Ten bytes hold a negative number in two's complement.
    values.push(shift === 10 ? signed(bytes.subarray(i - 9, i + 1)) : value);
    [value, shift] = [0, 0];
  }
  if (shift > 0) cut();
  return values;
}

function signed(bytes: Uint8Array): number {
  let value = 0n;
  bytes.forEach((byte, i) => value |= BigInt(byte & 0x7f) << BigInt(7 * i));
  return Number(BigInt.asIntN(64, value));
}

function cut(): never {
  throw new GapcamError("bad-data", "it is cut off or damaged");
}

function broken(found: string): never {
  throw new GapcamError("bad-data", `it is no ONNX file: found ${found}`);
}
