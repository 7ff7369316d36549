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
  const { classes, labels, length, targets } = dataset;
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
  // Of one class it can be told whether it is there.
  const { leastClasses = 1 } = targets ? {} : options;
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
  if (!targets) return;
  if (targets.length !== length * classes.length) {
    fail(
      `${targets.length} targets for ${length} images of ${classes.length} ` +
        "classes",
      "one for each image and class",
    );
  }
  const wrong = targets.findIndex((target) =>
    !(target >= 0 && target <= 1) && target !== -1
  );
  if (wrong < 0) return;
  fail(
    `target ${targets[wrong]} of image ${Math.floor(wrong / classes.length)}`,
    "a number from 0 to 1, or -1 where it is not known",
  );
}
