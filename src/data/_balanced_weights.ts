import type { Dataset } from "./dataset.ts";

/**
 * Factors that make up for how many images classes have: images over classes
 * times images of the class, 1 on average over images. With `binary` it is a
 * yes or a no for each class: images without it over those with it. 0 for a
 * class without any.
 */
export function balancedWeights(
  dataset: Dataset,
  options: { binary: boolean },
): number[] {
  const { classes, labels, targets } = dataset;
  const counts = new Array<number>(classes.length).fill(0);
  const absent = new Array<number>(classes.length).fill(0);
  let known = 0;
  labels.forEach((label, i) => {
    if (label < 0) return;
    known++;
    for (let c = 0; c < classes.length; c++) {
      const target = targets?.[i * classes.length + c] ?? Number(c === label);
      if (target !== -1) (target > 0.5 ? counts : absent)[c]!++;
    }
  });
  return counts.map((count, c) =>
    count === 0
      ? 0
      : options.binary
      ? absent[c]! / count
      : known / (classes.length * count)
  );
}
