/**
 * What the pictures of photographs are called.
 *
 * @module
 */

import { DATASET_NAMES } from "../src/data/open_dataset.ts";

/** What images of data sets are called. */
const NUMBERED = new RegExp(
  `^((${DATASET_NAMES.join("|")})-)?(train-)?\\d+$`,
  "i",
);

/** A file's name without folder and ending, told apart from others. */
export function freshName(path: string, taken: Set<string>): string {
  const file = path.slice(path.lastIndexOf("/") + 1).replace(/\.[^.]+$/, "");
  const base = NUMBERED.test(file) ? `photograph-${file}` : file;
  let name = base;
  for (let i = 2; taken.has(name.toLowerCase()); i++) name = `${base}-${i}`;
  taken.add(name.toLowerCase());
  return name;
}
