import type { LeakyRelu } from "../../nn/layers/activation.ts";
import { float, operator, type OperatorWriter } from "./_operator.ts";

/** A leaky ReLU is Relu at slope 0, else LeakyRelu. */
export const writeLeakyRelu: OperatorWriter<LeakyRelu> = (layer, at) => [
  layer.negativeSlope === 0 ? operator("Relu", at) : operator("LeakyRelu", at, {
    attributes: [float("alpha", layer.negativeSlope)],
  }),
];
