import { type Array64, array64, type Computed, dimensions } from "./_case.ts";

/** Labels of -1 are ignored. */
export function crossEntropy(
  logits: Array64,
  labels: Int32Array,
  smoothing: number,
): Computed<"input"> {
  const [n, classes] = dimensions(logits);
  const counted = labels.filter((label) => label >= 0).length;
  const gradient = new Float64Array(logits.data.length);
  let loss = 0;
  for (let row = 0; row < n; row++) {
    if (labels[row] === -1) continue;
    const values = logits.data.subarray(row * classes, (row + 1) * classes);
    const largest = Math.max(...values);
    const exponentials = values.map((x) => Math.exp(x - largest));
    const total = exponentials.reduce((sum, x) => sum + x, 0);
    for (let c = 0; c < classes; c++) {
      const target = smoothing / classes +
        (c === labels[row] ? 1 - smoothing : 0);
      loss += target * (Math.log(total) + largest - values[c]!) / counted;
      gradient[row * classes + c] = (exponentials[c]! / total - target) /
        counted;
    }
  }
  return {
    output: array64([1], [loss]),
    backward: (dOutput) => ({ input: gradient.map((g) => g * dOutput[0]!) }),
  };
}
