import { GapcamError } from "../error.ts";

// Printable Latin-1; a tEXt value may also hold line feeds. Values with other
// characters, among them control characters of Latin-1, go into iTXt as UTF-8.
const KEYWORD = /^[\x20-\x7e\xa1-\xff]{1,79}$/;
const LATIN1 = /^[\n\x20-\x7e\xa0-\xff]*$/;

/** The chunk that keeps a text: tEXt where Latin-1 can hold it, else iTXt. */
export function textChunk(
  keyword: string,
  value: string,
): { type: "tEXt" | "iTXt"; content: Uint8Array } {
  if (!KEYWORD.test(keyword) || /^ | $| {2}/.test(keyword)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot encode PNG: found text keyword ${JSON.stringify(keyword)}, ` +
        `expected 1 to 79 Latin-1 characters with single spaces inside`,
    );
  }
  if (value.includes("\0") || !value.isWellFormed()) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot encode PNG: found a null character or half a surrogate pair ` +
        `in text ${JSON.stringify(keyword)}, expected neither`,
    );
  }
  if (LATIN1.test(value)) {
    return { type: "tEXt", content: latin1(`${keyword}\0${value}`) };
  }
  // Not compressed, no language, no translated keyword.
  const head = latin1(`${keyword}\0\0\0\0\0`);
  const text = new TextEncoder().encode(value);
  const content = new Uint8Array(head.length + text.length);
  content.set(head);
  content.set(text, head.length);
  return { type: "iTXt", content };
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
