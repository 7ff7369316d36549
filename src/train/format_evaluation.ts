import { printable } from "../_printable.ts";
import type { Evaluation } from "./evaluation.ts";

/** Mistakes that a text names. */
const CONFUSED_SHOWN = 3;

/**
 * Writes an evaluation as text: accuracy, precision and F1 of each class, the
 * whole, the most frequent mistakes, and the confusion matrix (left out above
 * 20 classes, where it would not fit a screen).
 *
 * @example
 * ```ts
 * import { evaluationOf } from "./evaluation.ts";
 * import { formatEvaluation } from "./format_evaluation.ts";
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
  if (evaluation.meanAveragePrecision !== undefined) {
    return formatLabels({ ...evaluation, classes }, nameWidth);
  }
  const countWidth = String(evaluation.images).length;
  const lines = [
    `Accuracy on ${printable(evaluation.dataset)}, ${evaluation.split} split`,
    "",
    ...classes.map(({ name, correct, images, accuracy, precision, f1 }) =>
      `  ${name.padEnd(nameWidth)}  ${percent(accuracy)}  ` +
      `${String(correct).padStart(countWidth)} of ${
        String(images).padStart(countWidth)
      }   precision ${percent(precision)}   F1 ${percent(f1)}`
    ),
    "",
    `${percent(evaluation.accuracy).trimStart()}  of all ` +
    `${evaluation.images} images (${evaluation.correct} correct), ` +
    `loss ${evaluation.loss.toFixed(4)}`,
    ...wholeLines(evaluation),
    ...confusedLines(evaluation, classes.map(({ name }) => name)),
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

/** Of several labels an image. */
function formatLabels(evaluation: Evaluation, nameWidth: number): string {
  const { classes, images, correct, accuracy, loss } = evaluation;
  return [
    `Labels on ${printable(evaluation.dataset)}, ${evaluation.split} split`,
    "",
    ...classes.map((one) =>
      `  ${one.name.padEnd(nameWidth)}  average precision ` +
      `${percent(one.averagePrecision ?? 0)}   precision ` +
      `${percent(one.precision)}   recall ${percent(one.accuracy)}   F1 ` +
      `${percent(one.f1)}   in ${one.images}`
    ),
    "",
    `${percent(evaluation.meanAveragePrecision ?? 0).trimStart()}  mean ` +
    "average precision",
    `${percent(accuracy).trimStart()}  of all ${images} images with every ` +
    `label right (${correct}), loss ${loss.toFixed(4)}`,
  ].join("\n");
}

/** With five classes or fewer every answer is among the first five. */
function wholeLines(evaluation: Evaluation): string[] {
  const { classes, top5, calibrationError } = evaluation;
  return [
    ...(top5 === undefined || classes.length <= 5
      ? []
      : [`${percent(top5).trimStart()}  among the first five answers`]),
    ...(calibrationError === undefined ? [] : [
      `${
        percent(calibrationError).trimStart()
      }  calibration error: how far confidence is from accuracy`,
    ]),
  ];
}

function confusedLines(
  { confused }: Evaluation,
  names: readonly string[],
): string[] {
  if (confused.length === 0) return [];
  const shown = confused.slice(0, CONFUSED_SHOWN).map((
    { label, predicted, images },
  ) => `${names[label]} for ${names[predicted]} (${images})`);
  return [`Most often taken: ${shown.join(", ")}`];
}

function percent(value: number): string {
  return `${(100 * value).toFixed(2).padStart(6)} %`;
}
