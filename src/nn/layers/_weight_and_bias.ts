import type { ParameterSpec } from "./_layer_kind.ts";

/** A weight [outputs, ...inputs] and perhaps a bias, which start as PyTorch's do. */
export function weightAndBias(
  shape: readonly number[],
  bias: boolean,
): ParameterSpec[] {
  const [outputs, ...inputs] = shape;
  const fanIn = inputs.reduce((product, size) => product * size, 1);
  const common = { trainable: true, fanIn, initialValue: 0 };
  const weight = { name: "weight", shape, ...common };
  return bias
    ? [weight, { name: "bias", shape: [outputs!], ...common }]
    : [weight];
}
