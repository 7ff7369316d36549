import { bad } from "./_pickle_values.ts";

const TEXT = new TextDecoder();

/** The bytes of a pickle, read one after the other. */
export class PickleBytes {
  /** Byte after what has been read. */
  position: number;
  /** The same bytes, for numbers at a place that {@linkcode take} gives. */
  readonly view: DataView;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.position = position;
  }

  /** Moves on by so many bytes and returns where they begin. */
  take(length: number): number {
    const start = this.position;
    if (length > this.#bytes.length - start) bad("its pickle is cut short");
    this.position += length;
    return start;
  }

  /** The next byte. */
  byte(): number {
    return this.#bytes[this.take(1)]!;
  }

  /** A length of four bytes. */
  length4(): number {
    return this.view.getUint32(this.take(4), true);
  }

  /** A length of eight bytes. */
  length8(): number {
    return Number(this.view.getBigUint64(this.take(8), true));
  }

  /** So many bytes, a view. */
  data(length: number): Uint8Array {
    const start = this.take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** So many bytes as text. */
  text(length: number): string {
    return TEXT.decode(this.data(length));
  }

  /** The text up to the end of the line. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.position);
    if (end < 0) bad("its pickle is cut short");
    const text = this.text(end - this.position);
    this.position++;
    return text;
  }

  /** A two's complement integer; a number where it is exact. */
  long(length: number): number | bigint {
    // Conversion takes time quadratic in the length, and nothing in a file of
    // tensors is longer than PyTorch's 80-bit magic number.
    if (length > 64) bad(`its pickle has an integer of ${length} bytes`);
    let value = 0n;
    for (const byte of this.data(length).toReversed()) {
      value = value << 8n | BigInt(byte);
    }
    value = BigInt.asIntN(8 * length, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
}
