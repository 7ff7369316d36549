import type { Linear } from "../../nn/layers/linear.ts";
import { integer, operator, type OperatorWriter } from "./_operator.ts";

/** A fully connected layer is Gemm with its weight transposed. */
export const writeLinear: OperatorWriter<Linear> = (layer, at) => [
  operator("Gemm", at, {
    parameters: layer.bias ? ["weight", "bias"] : ["weight"],
    attributes: [integer("transB", 1)],
  }),
];
