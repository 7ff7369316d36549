import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import { windowOf } from "./_window.ts";
import { type MaxPool2d, maxPool2d } from "../../nn/layers/max_pool2d.ts";
import {
  operator,
  type OperatorWriter,
  windowAttributes,
} from "./_operator.ts";

/** Max pooling is MaxPool. */
export const writeMaxPool2d: OperatorWriter<MaxPool2d> = (layer, at) => [
  operator("MaxPool", at, { attributes: windowAttributes(layer) }),
];

/** Reads MaxPool. */
export function readMaxPool(at: GraphReader): void {
  const map = at.map(0);
  const window = windowOf(at, map.shape);
  if (window.dilation.some((size) => size !== 1)) {
    throw new Unreadable("its dilations are not 1");
  }
  if (at.current.outputs.length > 1) {
    throw new Unreadable("it gives the places of its maxima as well");
  }
  const { kernelSize, stride, padding, ceilMode } = window;
  const layer = maxPool2d(kernelSize, { stride, padding, ceilMode });
  at.give(at.append(layer, [map]));
}
