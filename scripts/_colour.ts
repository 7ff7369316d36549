/**
 * Colours, as a user types them.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";

const NAMED: Readonly<Record<string, readonly [number, number, number]>> = {
  white: [255, 255, 255],
  black: [0, 0, 0],
  grey: [128, 128, 128],
  gray: [128, 128, 128],
  red: [255, 0, 0],
  green: [0, 128, 0],
  blue: [0, 0, 255],
};

/**
 * Reads `white`, `#fff` or `#ffffff`.
 *
 * @throws {GapcamError} If the text is no colour.
 */
export function parseColour(text: string): readonly [number, number, number] {
  const named = NAMED[text.toLowerCase()];
  if (named) return named;
  const digits = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(text)?.[1];
  if (digits === undefined) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot read the colour ${JSON.stringify(text)}: expected one of ${
        Object.keys(NAMED).join(", ")
      }, or red, green and blue as #ff8800`,
    );
  }
  const long = digits.length === 3
    ? [...digits].map((digit) => digit + digit).join("")
    : digits;
  const level = (at: number) => parseInt(long.slice(at, at + 2), 16);
  return [level(0), level(2), level(4)];
}
