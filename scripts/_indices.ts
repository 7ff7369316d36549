/**
 * Lists of image numbers, as a user types them.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";

/**
 * Reads `3`, `0-63` or `1,5,8-10`.
 *
 * @param length How many images there are; every number is below it.
 * @throws {GapcamError} If the text is no such list or a number is out of range.
 */
export function parseIndices(text: string, length: number): number[] {
  const indices: number[] = [];
  for (const part of text.split(",").map((one) => one.trim())) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!match || last < first) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot read image numbers ${JSON.stringify(text)}: expected a list ` +
          "such as 3, 0-63 or 1,5,8-10",
      );
    }
    if (last >= length) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot show image ${last}: the images are numbered 0 to ${length - 1}`,
      );
    }
    for (let i = first; i <= last; i++) indices.push(i);
  }
  return indices;
}

/**
 * Reads a class by name or number.
 *
 * @throws {GapcamError} If there is no such class, or several are called so.
 */
export function parseClass(text: string, classes: readonly string[]): number {
  const folded = text.toLowerCase();
  const exact = numbersOf(classes, (name) => name === text);
  const inAnyCase = numbersOf(classes, (name) => name.toLowerCase() === folded);
  const named = exact.length > 0 ? exact : inAnyCase.length > 0
    ? inAnyCase
    // "crane" is "crane (bird)" or "crane (machine)".
    : numbersOf(
      classes,
      (name) => name.toLowerCase().replace(/ \(.*\)$/, "") === folded,
    );
  if (named.length > 1) {
    const listed = named.slice(0, 20).map((i) => `${i} (${classes[i]})`);
    throw new GapcamError(
      "invalid-argument",
      `Cannot tell which class ${JSON.stringify(text)} is: found ${
        listed.join(", ")
      }${named.length > 20 ? ", ..." : ""}; name it by its number`,
    );
  }
  if (named.length === 1) return named[0]!;
  if (/^\d{1,9}$/.test(text) && Number(text) < classes.length) {
    return Number(text);
  }
  const alike = numbersOf(
    classes,
    (name) => name.toLowerCase().includes(folded),
  );
  const offered = alike.length > 0
    ? alike.map((i) => `${i} (${classes[i]})`)
    : classes;
  throw new GapcamError(
    "invalid-argument",
    `Cannot find class ${JSON.stringify(text)}: expected one of ${
      offered.slice(0, 20).join(", ")
    }${offered.length > 20 ? ", ..." : ""}, or a number from 0 to ${
      classes.length - 1
    }`,
  );
}

function numbersOf(
  classes: readonly string[],
  fits: (name: string) => boolean,
): number[] {
  return Array.from(classes.keys()).filter((i) => fits(classes[i]!));
}
