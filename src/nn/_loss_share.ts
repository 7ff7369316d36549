/** What a batch's loss is divided by; see `gapcam_program_loss`. */
export function lossDivisor(
  labels: Int32Array | Float32Array,
  options: {
    classes: number;
    binary: boolean;
    weights?: readonly number[] | undefined;
  },
): number {
  const { classes, binary, weights } = options;
  let sum = 0;
  if (labels instanceof Int32Array) {
    for (const label of labels) {
      if (label >= 0) sum += weights?.[label] ?? 1;
    }
  } else if (binary) {
    for (const target of labels) sum += Number(target !== -1);
  } else {
    for (let i = 0; i < labels.length; i += classes) {
      sum += Number(labels[i] !== -1);
    }
  }
  return sum;
}
