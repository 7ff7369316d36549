import type { SplitName } from "../data/dataset.ts";
import type { Evaluation } from "./evaluation.ts";

/**
 * Turns logits into an {@linkcode Evaluation} of several labels an image.
 *
 * @param logits f32 [images, classes].
 * @param targets Of the same shape: 1, 0, or -1 where it is not known.
 * @param options Class names, and what was evaluated.
 *
 * @example Two images, two classes
 * ```ts
 * import { labelEvaluationOf } from "./label_evaluation.ts";
 *
 * const evaluation = labelEvaluationOf([2, -1, -1, 1], [1, 1, 0, 1], {
 *   classes: ["sun", "sea"], dataset: "photos", split: "test",
 * });
 * if (evaluation.correct !== 1) throw new Error("the sea was missed once");
 * if (evaluation.meanAveragePrecision !== 1) throw new Error("unexpected");
 * ```
 */
export function labelEvaluationOf(
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: { classes: readonly string[]; dataset: string; split: SplitName },
): Evaluation {
  const { classes: names, dataset, split } = options;
  const count = targets.length / names.length;
  const { loss, images, correct } = wholeOf(logits, targets, names.length);
  const classes = names.map((name, c) => {
    const scores: number[] = [], shown: boolean[] = [];
    for (let i = 0; i < count; i++) {
      const target = targets[i * names.length + c]!;
      if (target === -1) continue;
      scores.push(logits[i * names.length + c]!);
      shown.push(target > 0.5);
    }
    const said = scores.map((score) => score > 0);
    const positives = shown.filter((one) => one).length;
    const given = said.filter((one) => one).length;
    const right = shown.filter((one, i) => one && said[i]).length;
    return {
      name,
      images: positives,
      correct: right,
      accuracy: share(right, positives),
      precision: share(right, given),
      f1: share(2 * right, positives + given),
      averagePrecision: averagePrecision(scores, shown),
    };
  });
  const known = classes.filter(({ images }) => images > 0);
  return {
    ...{ dataset, split, images, correct, loss, classes },
    accuracy: share(correct, images),
    top5: undefined,
    calibrationError: undefined,
    meanAveragePrecision: share(
      known.reduce((sum, { averagePrecision }) => sum + averagePrecision, 0),
      known.length,
    ),
    ...{ confusion: [], confused: [] },
  };
}

/**
 * The sum over thresholds of precision times what recall gains there; scores
 * that are alike have one threshold.
 */
export function averagePrecision(
  scores: readonly number[],
  shown: readonly boolean[],
): number {
  const positives = shown.filter((one) => one).length;
  // What is not a number comes last.
  const value = (i: number) => Number.isNaN(scores[i]) ? -Infinity : scores[i]!;
  const order = scores.map((_, i) => i).sort((a, b) =>
    value(a) === value(b) ? a - b : value(b) - value(a)
  );
  let right = 0, before = 0, sum = 0;
  order.forEach((image, place) => {
    right += Number(shown[image]);
    const next = order[place + 1];
    if (next !== undefined && value(next) === value(image)) return;
    sum += (right - before) * right / (place + 1);
    before = right;
  });
  return share(sum, positives);
}

/** Mean binary cross-entropy, and images whose every label is right. */
function wholeOf(
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  classes: number,
): { loss: number; images: number; correct: number } {
  let loss = 0, elements = 0, images = 0, correct = 0;
  for (let start = 0; start < targets.length; start += classes) {
    let known = false, right = true;
    for (let i = start; i < start + classes; i++) {
      const target = targets[i]!, x = logits[i]!;
      if (target === -1) continue;
      known = true;
      elements++;
      loss += Math.max(x, 0) - x * target + Math.log1p(Math.exp(-Math.abs(x)));
      if (Number.isNaN(x) || x > 0 !== target > 0.5) right = false;
    }
    images += Number(known);
    correct += Number(known && right);
  }
  return { loss: share(loss, elements), images, correct };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
