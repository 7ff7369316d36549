import type { SplitName } from "../data/dataset.ts";
import { GapcamError } from "../error.ts";

/** Mistakes that an evaluation names. */
const MOST_CONFUSED = 10;

/** How well one class is told from the others; see {@linkcode Evaluation}. */
export interface ClassResult {
  /** The class's name. */
  name: string;
  /** Images of the class. */
  images: number;
  /** How many of them were given this class. */
  correct: number;
  /** `correct / images`, also called recall; 0 for a class without images. */
  accuracy: number;
  /** Share of the images given this class that are of it; 0 if none was. */
  precision: number;
  /** Harmonic mean of `accuracy` and `precision`; 0 if one is. */
  f1: number;
  /**
   * Of several labels an image: the mean of precision over recall, as the images
   * likeliest to show the class come first; 0 for a class without images.
   */
  averagePrecision?: number;
}

/** Images of one class that were taken for another. */
export interface Confusion {
  /** What they are: a class index. */
  label: number;
  /** What they were taken for. */
  predicted: number;
  /** How many. */
  images: number;
}

/**
 * What a network makes of a whole split. Plain data, for JSON too. Of several
 * labels an image, `correct` counts images whose every label is right (exact
 * match), a class's those that show it and were said to, at a probability of one
 * half; there is no confusion.
 */
export interface Evaluation {
  /** The data set's name. */
  dataset: string;
  /** Which split was evaluated. */
  split: SplitName;
  /** Images in all. */
  images: number;
  /** Images whose greatest logit was the label's. */
  correct: number;
  /** `correct / images`. */
  accuracy: number;
  /** Mean cross-entropy. */
  loss: number;
  /** Share of images whose label is among the five greatest logits; undefined where logs of old do not say. */
  top5: number | undefined;
  /**
   * Expected calibration error (Guo et al. 2017) over 15 bins: how far the
   * probability of the answer is from the share of right answers, on average;
   * undefined as for `top5`.
   */
  calibrationError: number | undefined;
  /** Of several labels an image: mean of the classes' `averagePrecision`. */
  meanAveragePrecision?: number;
  /** Each class, in the order of labels. */
  classes: ClassResult[];
  /** `confusion[label][predicted]` counts images. */
  confusion: number[][];
  /** The most frequent mistakes, at most ten, most images first. */
  confused: Confusion[];
}

/**
 * Turns counts into an {@linkcode Evaluation}.
 *
 * @param confusion `confusion[label][predicted]`, a square of counts.
 * @param options Class names in the order of labels, what was evaluated, and
 * the mean cross-entropy; where they are known, `top5` and `calibrationError`.
 * @throws {GapcamError} If the matrix does not fit the class names.
 *
 * @example Two classes, four images
 * ```ts
 * import { evaluationOf } from "./evaluation.ts";
 *
 * const evaluation = evaluationOf([[2, 0], [1, 1]], {
 *   classes: ["cat", "dog"], dataset: "pets", split: "test", loss: 0.4,
 * });
 * if (evaluation.accuracy !== 0.75) throw new Error("unexpected");
 * if (evaluation.classes[1]!.accuracy !== 0.5) throw new Error("unexpected");
 * ```
 */
export function evaluationOf(
  confusion: readonly (readonly number[])[],
  options: {
    classes: readonly string[];
    dataset: string;
    split: SplitName;
    loss: number;
    top5?: number | undefined;
    calibrationError?: number | undefined;
  },
): Evaluation {
  const { classes } = options;
  if (
    confusion.length !== classes.length ||
    confusion.some((row) => row.length !== classes.length)
  ) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot evaluate ${classes.length} classes: the confusion matrix has ` +
        `${confusion.length} rows of ${confusion[0]?.length ?? 0}`,
    );
  }
  const results = classes.map((name, label): ClassResult => {
    const images = sum(confusion[label]!);
    const correct = confusion[label]![label]!;
    const given = sum(confusion.map((row) => row[label]!));
    return {
      name,
      images,
      correct,
      accuracy: share(correct, images),
      precision: share(correct, given),
      // 2PR / (P + R), without dividing by nothing.
      f1: share(2 * correct, images + given),
    };
  });
  const images = sum(results.map((result) => result.images));
  const correct = sum(results.map((result) => result.correct));
  return {
    dataset: options.dataset,
    split: options.split,
    images,
    correct,
    accuracy: share(correct, images),
    loss: options.loss,
    top5: options.top5,
    calibrationError: options.calibrationError,
    classes: results,
    confusion: confusion.map((row) => [...row]),
    confused: confusedOf(confusion),
  };
}

function confusedOf(confusion: readonly (readonly number[])[]): Confusion[] {
  return confusion
    .flatMap((row, label) =>
      row.map((images, predicted) => ({ label, predicted, images }))
    )
    .filter(({ label, predicted, images }) => label !== predicted && images > 0)
    .sort((a, b) => b.images - a.images)
    .slice(0, MOST_CONFUSED);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
