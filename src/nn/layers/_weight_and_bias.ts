import type { ParameterSpec } from "./_layer_kind.ts";
import { elementCount } from "../../host_tensor.ts";

/** A weight [outputs, ...inputs] and perhaps a bias, which start as PyTorch's do. */
export function weightAndBias(
  shape: readonly number[],
  bias: boolean,
): ParameterSpec[] {
  const [outputs, ...inputs] = shape;
  const fanIn = elementCount(inputs);
  const common = { trainable: true, fanIn, initialValue: 0 };
  const weight = { name: "weight", shape, ...common };
  return bias
    ? [weight, { name: "bias", shape: [outputs!], ...common }]
    : [weight];
}
