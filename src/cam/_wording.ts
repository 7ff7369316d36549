import { isDrawable } from "../image/_text.ts";

/** A class's name where the font has its letters, else its number. */
export function classLabel(classes: readonly string[], index: number): string {
  const name = classes[index];
  return name && isDrawable(name) ? name : `class ${index}`;
}

/** A probability as a person reads it: `81 %`, `2.3 %`, `>99.9 %`. */
export function percent(probability: number): string {
  if (probability > 0.999 && probability < 1) return ">99.9 %";
  if (probability < 0.001 && probability > 0) return "<0.1 %";
  const value = 100 * probability;
  const digits = value > 90 && value < 100 || value < 10 && value > 0 ? 1 : 0;
  return `${value.toFixed(digits)} %`;
}

/** A number of logits to three digits, with a true minus sign. */
export function short(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return String(Object.is(rounded, -0) ? 0 : rounded).replaceAll("-", "\u2212");
}

/** The classes of greatest probability, the greatest first. */
export function topClasses(
  probabilities: ArrayLike<number>,
  count = 5,
): { index: number; probability: number }[] {
  return Array.from(probabilities, (probability, index) => ({
    index,
    probability,
  })).sort((a, b) => b.probability - a.probability || a.index - b.index)
    .slice(0, count);
}

/** `ship 98.1 %` without a label, `right: ship 98.1 %`, or `wrong: bird 81 %, labelled deer`. */
export function verdictOf(
  answer: { predicted: number; probabilities: ArrayLike<number> },
  { classes, label }: { classes: readonly string[]; label?: number },
): { text: string; right: boolean | undefined } {
  const { predicted, probabilities } = answer;
  const says = `${classLabel(classes, predicted)} ${
    percent(probabilities[predicted]!)
  }`;
  if (label === undefined) return { text: says, right: undefined };
  return predicted === label ? { text: `right: ${says}`, right: true } : {
    text: `wrong: ${says}, labelled ${classLabel(classes, label)}`,
    right: false,
  };
}
