import { GapcamError } from "../error.ts";
import { quote, shapeText } from "./_quote.ts";
import { ELEMENT_BYTES, type StoredType } from "./stored_tensor.ts";

/** One tensor of a header. */
export interface HeaderEntry {
  name: string;
  dtype: StoredType;
  shape: number[];
  /** First byte, counted from the end of the header. */
  begin: number;
  /** Byte after the last. */
  end: number;
}

/**
 * Most tensors and most metadata. The format allows a header of 100 MB, which
 * in small entries would take seconds and gigabytes.
 */
const TENSOR_LIMIT = 50_000;
const METADATA_LIMIT = 50_000;
const RANK_LIMIT = 64;

/** Any number of spaces, none too, from `lastIndex` on. */
const SPACE = /[ \n\r\t]*/y;

/** What a header says. */
export interface SafetensorsHeader {
  metadata: Record<string, string>;
  entries: HeaderEntry[];
}

/**
 * Parses a safetensors header: JSON of one fixed form.
 *
 * Not `JSON.parse`: that keeps the last of two equal keys without a word, so
 * two readers could see two different networks in one file, and it nests as
 * deeply as the file says.
 */
export function parseSafetensorsHeader(text: string): SafetensorsHeader {
  return new HeaderParser(text).parse();
}

class HeaderParser {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): SafetensorsHeader {
    this.#skipSpace();
    if (this.#text[this.#position] !== "{") {
      bad('its header does not begin with "{"');
    }
    let metadata: Record<string, string> = {};
    const entries: HeaderEntry[] = [];
    this.#object("its header", (key) => {
      if (key === "__metadata__") metadata = this.#metadata();
      else entries.push(this.#entry(key));
      if (entries.length > TENSOR_LIMIT) {
        bad(`it has more than ${TENSOR_LIMIT} tensors`);
      }
    });
    this.#skipSpace();
    if (this.#position !== this.#text.length) {
      this.#unexpected("nothing after the header");
    }
    return { metadata, entries };
  }

  #metadata(): Record<string, string> {
    this.#skipSpace();
    if (this.#text.startsWith("null", this.#position)) {
      this.#position += "null".length;
      return {};
    }
    const pairs: [string, string][] = [];
    this.#object("its metadata", (key) => {
      pairs.push([key, this.#string()]);
      if (pairs.length > METADATA_LIMIT) {
        bad(`its metadata has more than ${METADATA_LIMIT} texts`);
      }
    });
    // Unlike assignment, this makes "__proto__" a key like any other.
    return Object.fromEntries(pairs);
  }

  #entry(name: string): HeaderEntry {
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    const what = `tensor ${quote(name)}`;
    this.#object(what, (key) => {
      if (key === "dtype") dtype = this.#string();
      else if (key === "shape") shape = this.#numbers();
      else if (key === "data_offsets") offsets = this.#numbers();
      else {
        bad(
          `${what} has a property ${quote(key)}, expected ` +
            "dtype, shape and data_offsets",
        );
      }
    });
    if (dtype === undefined || shape === undefined || offsets === undefined) {
      bad(`${what} lacks one of dtype, shape and data_offsets`);
    }
    if (!Object.hasOwn(ELEMENT_BYTES, dtype)) {
      bad(
        `${what} has dtype ${quote(dtype)}, expected one of ` +
          Object.keys(ELEMENT_BYTES).join(", "),
      );
    }
    const [begin, end] = offsets;
    if (
      offsets.length !== 2 || begin === undefined || end === undefined ||
      begin > end
    ) {
      bad(
        `${what} has data_offsets ${shapeText(offsets)}, expected [begin, end]`,
      );
    }
    return { name, dtype: dtype as StoredType, shape, begin, end };
  }

  #object(what: string, readValue: (key: string) => void): void {
    const seen = new Set<string>();
    this.#expect("{");
    if (this.#take("}")) return;
    do {
      const key = this.#string();
      if (seen.has(key)) {
        bad(`${what} has ${quote(key)} twice`);
      }
      seen.add(key);
      this.#expect(":");
      readValue(key);
    } while (this.#take(","));
    this.#expect("}");
  }

  #numbers(): number[] {
    const numbers: number[] = [];
    this.#expect("[");
    if (this.#take("]")) return numbers;
    do {
      numbers.push(this.#number());
      if (numbers.length > RANK_LIMIT) {
        bad(`it has a tensor of more than ${RANK_LIMIT} dimensions`);
      }
    } while (this.#take(","));
    this.#expect("]");
    return numbers;
  }

  #number(): number {
    this.#skipSpace();
    const digits = /(?:0|[1-9]\d{0,15})(?![\d.eE])/y;
    digits.lastIndex = this.#position;
    const found = digits.exec(this.#text)?.[0];
    if (found === undefined || !Number.isSafeInteger(Number(found))) {
      this.#unexpected("a whole number from 0");
    }
    this.#position += found.length;
    return Number(found);
  }

  #string(): string {
    this.#skipSpace();
    const start = this.#position;
    if (this.#text[start] !== '"') this.#unexpected("a text in quotes");
    const close = this.#text.indexOf('"', start + 1);
    const plain = this.#text.slice(start + 1, Math.max(close, start + 1));
    if (close > 0 && !/[\\\p{Cc}]/u.test(plain)) {
      this.#position = close + 1;
      return plain;
    }
    let end = start + 1;
    while (end < this.#text.length && this.#text[end] !== '"') {
      end += this.#text[end] === "\\" ? 2 : 1;
    }
    if (end >= this.#text.length) bad("its header breaks off inside a text");
    this.#position = end + 1;
    try {
      return JSON.parse(this.#text.slice(start, end + 1));
    } catch {
      bad(`its header has a malformed text at character ${start}`);
    }
  }

  #expect(character: string): void {
    if (!this.#take(character)) this.#unexpected(JSON.stringify(character));
  }

  #take(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#position] !== character) return false;
    this.#position++;
    return true;
  }

  #skipSpace(): void {
    // One step for any number: a header may be 100 MB of spaces.
    SPACE.lastIndex = this.#position;
    SPACE.test(this.#text);
    this.#position = SPACE.lastIndex;
  }

  #unexpected(expected: string): never {
    const found = this.#text[this.#position];
    bad(
      `its header has ${
        found === undefined ? "no more text" : JSON.stringify(found)
      } at character ${this.#position}, expected ${expected}`,
    );
  }
}

function bad(message: string): never {
  throw new GapcamError("bad-data", message);
}
