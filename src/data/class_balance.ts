import type { Dataset } from "./dataset.ts";

/** How many times more images a class may have before it is worth a word. */
const UNEVEN = 10;

/**
 * Says how uneven classes are, if they are: a network that always answers the
 * largest one would be right that often.
 *
 * @param dataset One split.
 * @returns A sentence with the smallest and the largest class, where the one
 * has less than a tenth of the other's images; undefined otherwise.
 *
 * @example
 * ```ts
 * import { datasetOf } from "@gapcam/gapcam";
 * import { describeImbalance } from "./class_balance.ts";
 *
 * const dataset = datasetOf({
 *   images: new Uint8Array(12),
 *   labels: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
 *   classes: ["cat", "dog"],
 *   height: 1, width: 1, channels: 1,
 * });
 * if (!describeImbalance(dataset)?.includes("cat has 11")) throw new Error();
 * ```
 */
export function describeImbalance(dataset: Dataset): string | undefined {
  const { classes, labels, targets } = dataset;
  // Of several labels an image each is a question of its own.
  if (targets) return undefined;
  const counts = new Array<number>(classes.length).fill(0);
  for (const label of labels) if (label >= 0) counts[label]!++;
  const least = counts.indexOf(Math.min(...counts));
  const most = counts.indexOf(Math.max(...counts));
  if (counts[most]! <= UNEVEN * counts[least]!) return undefined;
  const known = counts.reduce((sum, count) => sum + count, 0);
  const share = (100 * counts[most]! / known).toFixed(1);
  return `Classes are uneven: ${classes[most]} has ${counts[most]} images ` +
    `(${share} % of all), ${classes[least]} ${counts[least]}`;
}
