import type { Dataset } from "./dataset.ts";

/**
 * What the images of a batch are to show: f32 [indices, classes]. Of an image
 * that counts nowhere all are -1.
 */
export function batchTargets(
  dataset: Dataset,
  indices: ArrayLike<number>,
  labels: Int32Array,
): Float32Array {
  const classes = dataset.classes.length;
  const targets = new Float32Array(indices.length * classes);
  labels.forEach((label, i) => {
    const start = i * classes;
    if (label < 0) targets.fill(-1, start, start + classes);
    else if (dataset.targets) {
      const from = indices[i]! * classes;
      targets.set(dataset.targets.subarray(from, from + classes), start);
    } else targets[start + label] = 1;
  });
  return targets;
}
