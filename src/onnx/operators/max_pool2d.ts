import type { MaxPool2d } from "../../nn/layers/max_pool2d.ts";
import {
  operator,
  type OperatorWriter,
  windowAttributes,
} from "./_operator.ts";

/** Max pooling is MaxPool. */
export const writeMaxPool2d: OperatorWriter<MaxPool2d> = (layer, at) => [
  operator("MaxPool", at, { attributes: windowAttributes(layer) }),
];
