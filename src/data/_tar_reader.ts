import { GapcamError } from "../error.ts";

/** Takes one member's bytes. */
export interface MemberSink {
  /** The next bytes; they are reused after the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** The member is complete. */
  close(): Promise<void>;
}

const BLOCK = 512;
// Long names are stored as members of their own; real ones are short.
const LONGEST_NAME = 64 * 1024;

/**
 * Reads a tar archive (POSIX ustar and pax, GNU long names) as its bytes
 * arrive and hands the wanted members on, without holding any whole.
 */
export class TarReader {
  readonly #open: (
    name: string,
    size: number,
  ) => Promise<MemberSink | undefined>;
  readonly #block = new Uint8Array(BLOCK);
  #filled = 0;
  #sink: MemberSink | undefined;
  #left = 0;
  #padding = 0;
  #name: string | undefined;
  #size: number | undefined;
  #extra: { type: string; bytes: Uint8Array; filled: number } | undefined;
  #ended = false;

  /** @param open Called for each file; returns a sink to receive it. */
  constructor(
    open: (name: string, size: number) => Promise<MemberSink | undefined>,
  ) {
    this.#open = open;
  }

  /**
   * Takes the archive's next bytes.
   *
   * @throws {GapcamError} If they are no tar archive.
   */
  async write(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length && !this.#ended) {
      if (this.#left > 0) {
        const part = bytes.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        await this.#body(part);
        if (this.#left === 0) await this.#endMember();
      } else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, bytes.length - at);
        this.#padding -= skipped;
        at += skipped;
      } else {
        const part = bytes.subarray(at, at + BLOCK - this.#filled);
        this.#block.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled < BLOCK) return;
        this.#filled = 0;
        await this.#header();
      }
    }
  }

  /**
   * Says that no more bytes will come.
   *
   * @throws {GapcamError} If the archive ended in the middle.
   */
  end(): void {
    if (this.#left > 0 || this.#filled > 0) {
      fail("it ends in the middle of a file");
    }
  }

  async #header(): Promise<void> {
    const block = this.#block;
    if (block.every((byte) => byte === 0)) {
      this.#ended = true;
      return;
    }
    let sum = 0;
    for (let i = 0; i < BLOCK; i++) {
      sum += i >= 148 && i < 156 ? 32 : block[i]!;
    }
    if (octal(block, 148, 8) !== sum) fail("a header's checksum is wrong");
    const type = String.fromCharCode(block[156]!);
    const prefix = text(block, 257, 5) === "ustar" ? text(block, 345, 155) : "";
    const stored = text(block, 0, 100);
    let size = octal(block, 124, 12);
    if (type === "x" || type === "L") {
      if (size > LONGEST_NAME) fail(`a name of ${size} bytes`);
      this.#extra = { type, bytes: new Uint8Array(size), filled: 0 };
    } else {
      const name = this.#name ?? (prefix ? `${prefix}/${stored}` : stored);
      size = this.#size ?? size;
      this.#name = this.#size = undefined;
      // Types 1 to 6 are links and devices, "0", NUL and "7" files.
      if (type === "0" || type === "\0" || type === "7") {
        this.#sink = await this.#open(name.replace(/^\.\//, ""), size);
      }
    }
    this.#left = size;
    this.#padding = (BLOCK - size % BLOCK) % BLOCK;
    if (size === 0) await this.#endMember();
  }

  async #body(part: Uint8Array): Promise<void> {
    await this.#sink?.write(part);
    if (this.#extra) {
      this.#extra.bytes.set(part, this.#extra.filled);
      this.#extra.filled += part.length;
    }
  }

  async #endMember(): Promise<void> {
    await this.#sink?.close();
    this.#sink = undefined;
    if (!this.#extra) return;
    const { type, bytes } = this.#extra;
    this.#extra = undefined;
    const value = new TextDecoder().decode(bytes);
    if (type === "L") {
      this.#name = value.replace(/\0.*$/s, "");
      return;
    }
    for (const [, key, field] of value.matchAll(/\d+ ([^=\n]+)=([^\n]*)\n/g)) {
      if (key === "path") this.#name = field;
      if (key === "size") this.#size = wholeSize(Number(field));
    }
  }
}

function fail(what: string): never {
  throw new GapcamError("bad-data", `Cannot unpack the archive: ${what}`);
}

function text(block: Uint8Array, start: number, length: number): string {
  const end = block.subarray(start, start + length).indexOf(0);
  return new TextDecoder().decode(
    block.subarray(start, end < 0 ? start + length : start + end),
  );
}

function octal(block: Uint8Array, start: number, length: number): number {
  // Sizes of 8 GiB and more: GNU stores them as big-endian binary.
  if (block[start]! & 0x80) {
    let value = block[start]! & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + block[start + i]!;
    return wholeSize(value);
  }
  const digits = text(block, start, length).trim();
  return wholeSize(/^[0-7]*$/.test(digits) ? parseInt(digits || "0", 8) : NaN);
}

function wholeSize(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) fail("a size is no number");
  return value;
}
