import { printable } from "../_printable.ts";
import { GapcamError } from "../error.ts";
import { Random } from "../random.ts";
import type { Dataset } from "./dataset.ts";
import { subset } from "./subset.ts";

/** Domain of random numbers; 0 and 1 are the loader's. */
const VALIDATION = 2;

/** Training images in two parts; see {@linkcode validationSplit}. */
export interface ValidationSplit {
  /** What is left to train on, in the order that it had. */
  train: Dataset;
  /** What was held out. */
  validation: Dataset;
}

/**
 * Holds a part of each class out of the training images, to validate on. Which
 * images depends on the seed, the class and how many it has, on nothing else.
 *
 * @param dataset The training images.
 * @param options `fraction`: the part of each class, above 0 and below 1,
 * rounded to whole images, at least one and not all; `seed`. Default: 0.
 * @throws {GapcamError} If a class has a single image: one of the parts would
 * have none.
 *
 * @example
 * ```ts
 * import { shapesDataset, validationSplit } from "@gapcam/gapcam";
 *
 * const shapes = shapesDataset("train", { size: 16, length: 100 });
 * const { train, validation } = validationSplit(shapes, { fraction: 0.2 });
 * if (train.length !== 80 || validation.length !== 20) throw new Error();
 * ```
 */
export function validationSplit(
  dataset: Dataset,
  options: { fraction: number; seed?: number },
): ValidationSplit {
  const { fraction, seed = 0 } = options;
  if (!(fraction > 0 && fraction < 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot hold ${fraction} of the training images out: expected a number ` +
        "above 0 and below 1",
    );
  }
  const { classes, labels, targets } = dataset;
  // Those with several labels are on one side with all of them.
  const byClass = targets ? [[]] : classes.map((): number[] => []);
  // Those without a label cannot validate, and train nothing.
  labels.forEach((label, index) =>
    byClass[targets ? Math.min(0, label) : label]?.push(index)
  );
  const single = classes.filter((_, label) => byClass[label]?.length === 1);
  if (single.length > 0) {
    const names = single.slice(0, 3).map((name) => printable(name)).join(", ");
    const more = single.length > 3 ? ` and ${single.length - 3} more` : "";
    throw new GapcamError(
      "bad-data",
      `Cannot hold ${fraction} of the training images out: found a single ` +
        `image of ${names}${more}, expected one to train on and one to ` +
        "validate on",
    );
  }
  const held = new Set<number>();
  byClass.forEach((indices, label) => {
    if (indices.length === 0) return;
    const wanted = Math.round(indices.length * fraction);
    const count = Math.min(indices.length - 1, Math.max(1, wanted));
    new Random(seed, VALIDATION, label).shuffle(indices);
    for (const index of indices.slice(0, count)) held.add(index);
  });
  const all = Array.from(labels, (_, index) => index);
  if (targets) assertLeft(dataset, held, fraction);
  return {
    train: subset(dataset, all.filter((index) => !held.has(index))),
    validation: subset(dataset, all.filter((index) => held.has(index)), {
      split: "validation",
    }),
  };
}

/** Refuses to leave nothing of a class to train on. */
function assertLeft(
  { classes, targets }: Dataset,
  held: ReadonlySet<number>,
  fraction: number,
): void {
  const lacking = classes.find((_, c) => {
    const has = (index: number) => targets![index * classes.length + c]! > 0.5;
    return [...held].some(has) &&
      !targets!.some((target, i) =>
        i % classes.length === c && target > 0.5 &&
        !held.has(Math.floor(i / classes.length))
      );
  });
  if (lacking === undefined) return;
  throw new GapcamError(
    "bad-data",
    `Cannot hold ${fraction} of the training images out: found no image of ` +
      `${printable(lacking)} left, expected one to train on; use another ` +
      "fraction or seed",
  );
}
