/**
 * One protobuf message under construction. What ONNX and TensorBoard need of
 * the wire format is four rules: a varint, four bytes, eight bytes, and a length
 * with that many bytes; a library would be larger than these lines and would
 * copy the weights.
 */
export class ProtoMessage {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  /** The message's bytes; large fields are not copied. */
  get pieces(): readonly Uint8Array[] {
    return this.#pieces;
  }

  /** Bytes in all. */
  get length(): number {
    return this.#length;
  }

  /** A whole number, an enumerator. */
  integer(field: number, value: number): this {
    return this.#add(varint(field * 8), varint(value));
  }

  /** Whole numbers, one after the other. */
  integers(field: number, values: readonly number[]): this {
    for (const value of values) this.integer(field, value);
    return this;
  }

  /** A 32-bit float. */
  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#add(varint(field * 8 + 5), bytes);
  }

  /** A 64-bit float. */
  double(field: number, value: number): this {
    return this.#add(varint(field * 8 + 1), doubleBytes([value]));
  }

  /** 64-bit floats, packed. */
  doubles(field: number, values: readonly number[]): this {
    return this.bytes(field, doubleBytes(values));
  }

  /** Bytes, not copied. */
  bytes(field: number, bytes: Uint8Array): this {
    return this.#add(varint(field * 8 + 2), varint(bytes.length), bytes);
  }

  /** A text. */
  text(field: number, text: string): this {
    return this.bytes(field, new TextEncoder().encode(text));
  }

  /** Texts, one after the other. */
  texts(field: number, texts: readonly string[]): this {
    for (const text of texts) this.text(field, text);
    return this;
  }

  /** A message within this one. */
  message(field: number, message: ProtoMessage): this {
    return this.#add(
      varint(field * 8 + 2),
      varint(message.length),
      ...message.pieces,
    );
  }

  #add(...pieces: Uint8Array[]): this {
    for (const piece of pieces) {
      this.#pieces.push(piece);
      this.#length += piece.length;
    }
    return this;
  }
}

function doubleBytes(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setFloat64(8 * i, value, true));
  return bytes;
}

/**
 * Seven bits a byte, least first, the eighth set on all but the last; a
 * negative number in two's complement of 64 bits.
 */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  if (value < 0) {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) + 128);
    return Uint8Array.of(...bytes, Number(rest));
  }
  let rest = value;
  while (rest >= 128) {
    bytes.push(rest % 128 + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return new Uint8Array(bytes);
}
