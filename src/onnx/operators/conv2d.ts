import type { Conv2d } from "../../nn/layers/conv2d.ts";
import {
  operator,
  type OperatorWriter,
  windowAttributes,
} from "./_operator.ts";

/** A convolution is Conv. */
export const writeConv2d: OperatorWriter<Conv2d> = (layer, at) => [
  operator("Conv", at, {
    parameters: layer.bias ? ["weight", "bias"] : ["weight"],
    attributes: windowAttributes(layer),
  }),
];
