/** Opcodes of pickle protocol 2, which every version of PyTorch reads. */
export class Pickler {
  #bytes = new Uint8Array(4096);
  #length = 0;

  constructor() {
    this.#put(0x80, 2);
  }

  /** What has been written, with the pickle's end. */
  finish(): Uint8Array {
    this.#put(0x2e);
    return this.#bytes.slice(0, this.#length);
  }

  /** Begins the items of a tuple or dict. */
  mark(): this {
    return this.#put(0x28);
  }

  /** Ends a tuple of the items since the mark. */
  tuple(): this {
    return this.#put(0x74);
  }

  /** Calls a global with a tuple of arguments, the two topmost values. */
  reduce(): this {
    return this.#put(0x52);
  }

  /** Puts the pairs since the mark into the dict below it. */
  setItems(): this {
    return this.#put(0x75);
  }

  /** Looks up the value with the topmost value as identifier. */
  persistent(): this {
    return this.#put(0x51);
  }

  /** A function or class. */
  global(module: string, name: string): this {
    this.#put(0x63);
    return this.#write(new TextEncoder().encode(`${module}\n${name}\n`));
  }

  /** False. */
  false(): this {
    return this.#put(0x89);
  }

  /** A text. */
  text(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.#put(0x58).#uint32(bytes.length).#write(bytes);
  }

  /** A whole number from 0. */
  count(value: number): this {
    if (value < 2 ** 31) return this.#put(0x4a).#uint32(value);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    return this.#put(0x8a, 8).#write(bytes);
  }

  /** A tuple of whole numbers. */
  counts(values: readonly number[]): this {
    this.mark();
    for (const value of values) this.count(value);
    return this.tuple();
  }

  #uint32(value: number): this {
    return this.#put(
      value & 0xff,
      value >>> 8 & 0xff,
      value >>> 16 & 0xff,
      value >>> 24,
    );
  }

  #put(...bytes: number[]): this {
    return this.#write(new Uint8Array(bytes));
  }

  #write(bytes: Uint8Array): this {
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = needed;
    return this;
  }
}
