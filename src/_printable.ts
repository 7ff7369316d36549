/**
 * What moves a terminal's cursor, changes its colours, ends a line or turns the
 * direction of writing; and halves of characters.
 */
const UNPRINTABLE =
  // deno-lint-ignore no-control-regex
  /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

const SHORT: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/**
 * Makes text from a file, a folder or a user fit to be shown: control
 * characters are written out, as `\x1b`, and what is too long is cut.
 *
 * @param text Any text.
 * @param most Greatest length before anything is written out. Default: 200.
 */
export function printable(text: string, most = 200): string {
  const cut = text.length > most ? `${text.slice(0, most - 3)}...` : text;
  return cut.replace(UNPRINTABLE, (character) => {
    const hex = character.charCodeAt(0).toString(16);
    return SHORT[character] ??
      (hex.length <= 2 ? `\\x${hex.padStart(2, "0")}` : `\\u${hex}`);
  });
}

/** Any value from a file as JSON, likewise. */
export function printableValue(value: unknown): string {
  return printable(String(JSON.stringify(value)), 100);
}
