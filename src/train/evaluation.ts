import { printable } from "../_printable.ts";
import { GapcamError } from "../error.ts";

/** How well one class is told from the others; see {@linkcode Evaluation}. */
export interface ClassResult {
  /** The class's name. */
  name: string;
  /** Images of the class. */
  images: number;
  /** How many of them were given this class. */
  correct: number;
  /** `correct / images`; 0 for a class without images. */
  accuracy: number;
}

/** What a network makes of a whole split. Plain data, for JSON too. */
export interface Evaluation {
  /** The data set's name. */
  dataset: string;
  /** Which split was evaluated. */
  split: "train" | "test";
  /** Images in all. */
  images: number;
  /** Images whose greatest logit was the label's. */
  correct: number;
  /** `correct / images`. */
  accuracy: number;
  /** Mean cross-entropy. */
  loss: number;
  /** Each class, in the order of labels. */
  classes: ClassResult[];
  /** `confusion[label][predicted]` counts images. */
  confusion: number[][];
}

/**
 * Turns counts into an {@linkcode Evaluation}.
 *
 * @param confusion `confusion[label][predicted]`, a square of counts.
 * @param options Class names in the order of labels, what was evaluated, and
 * the mean cross-entropy.
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
    split: "train" | "test";
    loss: number;
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
    return { name, images, correct, accuracy: share(correct, images) };
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
    classes: results,
    confusion: confusion.map((row) => [...row]),
  };
}

/**
 * Writes an evaluation as text: accuracy of each class, the whole, and the
 * confusion matrix (left out above 20 classes, where it would not fit a screen).
 *
 * @example
 * ```ts
 * import { evaluationOf } from "./evaluation.ts";
 * import { formatEvaluation } from "./evaluation.ts";
 *
 * const text = formatEvaluation(evaluationOf([[2, 0], [1, 1]], {
 *   classes: ["cat", "dog"], dataset: "pets", split: "test", loss: 0.4,
 * }));
 * if (!text.includes("75.00 %  of all 4 images")) throw new Error(text);
 * ```
 */
export function formatEvaluation(evaluation: Evaluation): string {
  const { confusion } = evaluation;
  // Classes are named by folders and files, which may hold anything.
  const classes = evaluation.classes.map((one) => ({
    ...one,
    name: printable(one.name, 60),
  }));
  const nameWidth = Math.max(...classes.map(({ name }) => name.length));
  const countWidth = String(evaluation.images).length;
  const lines = [
    `Accuracy on ${printable(evaluation.dataset)}, ${evaluation.split} split`,
    "",
    ...classes.map(({ name, correct, images, accuracy }) =>
      `  ${name.padEnd(nameWidth)}  ${percent(accuracy)}  ` +
      `${String(correct).padStart(countWidth)} of ${
        String(images).padStart(countWidth)
      }`
    ),
    "",
    `${percent(evaluation.accuracy).trimStart()}  of all ` +
    `${evaluation.images} images (${evaluation.correct} correct), ` +
    `loss ${evaluation.loss.toFixed(4)}`,
  ];
  if (classes.length > 20) return lines.join("\n");
  const width = Math.max(
    String(classes.length - 1).length,
    ...confusion.flat().map((count) => String(count).length),
  ) + 2;
  return [
    ...lines,
    "",
    "Confusion matrix: a row is what an image is, a column what it was taken for",
    "",
    "  " + "".padEnd(nameWidth + 4) +
    classes.map((_, i) => String(i).padStart(width)).join(""),
    ...classes.map(({ name }, label) =>
      `  ${name.padEnd(nameWidth)}  ${String(label).padStart(2)}` +
      confusion[label]!.map((count) => String(count).padStart(width)).join("")
    ),
  ].join("\n");
}

function percent(value: number): string {
  return `${(100 * value).toFixed(2).padStart(6)} %`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
