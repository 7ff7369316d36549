import { GapcamError } from "../error.ts";
import type { Dataset } from "./dataset.ts";

/**
 * Makes sure that a data set is what it says, before it is used: classes,
 * sizes, and a label for each image that is a class or -1.
 *
 * @param dataset One split.
 * @param options `leastClasses`: how many classes it must have. Default: 1.
 * @throws {GapcamError} If it is not; the message names the first offender.
 *
 * @example
 * ```ts
 * import { checkDataset } from "./check_dataset.ts";
 * import { shapesDataset } from "@gapcam/gapcam";
 *
 * checkDataset(shapesDataset("train", { size: 16, length: 10 }));
 * ```
 */
export function checkDataset(
  dataset: Dataset,
  options: { leastClasses?: number } = {},
): void {
  const { classes, labels, length } = dataset;
  function fail(found: string, expected: string): never {
    throw new GapcamError(
      "bad-data",
      `Cannot use data set ${dataset.name} (${dataset.split}): found ${found}, ` +
        `expected ${expected}`,
    );
  }
  for (const name of ["length", "height", "width"] as const) {
    const value = dataset[name];
    if (Number.isSafeInteger(value) && value > 0) continue;
    fail(`${name} ${value}`, "a whole number from 1");
  }
  if (dataset.channels !== 1 && dataset.channels !== 3) {
    fail(`${dataset.channels} channels`, "1 (grey) or 3 (RGB)");
  }
  const { leastClasses = 1 } = options;
  if (classes.length < leastClasses || classes.length === 0) {
    fail(
      classes.length === 0
        ? "no classes"
        : `one class alone, ${JSON.stringify(classes[0])}`,
      `at least ${leastClasses}` +
        (leastClasses > 1 ? ", to tell from each other" : ""),
    );
  }
  if (labels.length !== length) {
    fail(`${labels.length} labels for ${length} images`, "one for each");
  }
  for (let i = 0; i < length; i++) {
    const label = labels[i]!;
    if (Number.isInteger(label) && label >= -1 && label < classes.length) {
      continue;
    }
    fail(
      `label ${label} of image ${i}`,
      `a class from 0 to ${classes.length - 1}, or -1 for an image that ` +
        "counts nowhere",
    );
  }
}
