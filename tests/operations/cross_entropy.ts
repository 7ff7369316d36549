import { type Array64, array64, type Computed, dimensions } from "./_case.ts";

/** Of a row of logits: log-softmax and softmax. */
function softmax(row: Float64Array): { log: number[]; share: number[] } {
  const largest = Math.max(...row);
  const total = row.reduce((sum, x) => sum + Math.exp(x - largest), 0);
  const log = Array.from(row, (x) => x - largest - Math.log(total));
  return { log, share: log.map(Math.exp) };
}

/**
 * As torch.nn.functional.cross_entropy. Labels are classes, -1 is ignored; or
 * probabilities of each class, and a row that begins with -1 is ignored.
 */
export function crossEntropy(
  logits: Array64,
  labels: Int32Array | Float32Array,
  options: { smoothing?: number; weights?: ArrayLike<number> } = {},
): Computed<"input"> {
  const [n, classes] = dimensions(logits);
  const { smoothing = 0, weights } = options;
  const hard = labels instanceof Int32Array;
  const gradient = new Float64Array(logits.data.length);
  let loss = 0, divisor = 0;
  for (let row = 0; row < n; row++) {
    const start = row * classes;
    if (labels[hard ? row : start] === -1) continue;
    const { log, share } = softmax(
      logits.data.subarray(start, start + classes),
    );
    const wanted = log.map((_, c) =>
      (weights?.[c] ?? 1) *
      (smoothing / classes + (1 - smoothing) *
          (hard ? Number(c === labels[row]) : labels[start + c]!))
    );
    const all = wanted.reduce((sum, x) => sum + x, 0);
    for (let c = 0; c < classes; c++) {
      loss -= wanted[c]! * log[c]!;
      gradient[start + c] = share[c]! * all - wanted[c]!;
    }
    divisor += hard ? weights?.[labels[row]!] ?? 1 : 1;
  }
  return mean(loss, gradient, divisor);
}

/** As torch.nn.functional.binary_cross_entropy_with_logits; -1 is ignored. */
export function binaryCrossEntropy(
  logits: Array64,
  targets: Float32Array,
  options: { smoothing?: number; weights?: ArrayLike<number> } = {},
): Computed<"input"> {
  const classes = dimensions(logits)[1];
  const { smoothing = 0, weights } = options;
  const gradient = new Float64Array(logits.data.length);
  let loss = 0, divisor = 0;
  logits.data.forEach((x, i) => {
    if (targets[i] === -1) return;
    const t = (1 - smoothing) * targets[i]! + smoothing / 2;
    const weight = weights?.[i % classes] ?? 1;
    const share = 1 / (1 + Math.exp(-x));
    loss -= weight * t * Math.log(share) + (1 - t) * Math.log(1 - share);
    gradient[i] = (1 - t) * share - weight * t * (1 - share);
    divisor++;
  });
  return mean(loss, gradient, divisor);
}

function mean(
  loss: number,
  gradient: Float64Array,
  divisor: number,
): Computed<"input"> {
  return {
    output: array64([1], [loss / divisor]),
    backward: (dOutput) => ({
      input: gradient.map((g) => g * dOutput[0]! / divisor),
    }),
  };
}
