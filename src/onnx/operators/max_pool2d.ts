import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import { paddedMap, together, windowOf } from "./_window.ts";
import type { NodeLayer } from "../../nn/layers/_kinds.ts";
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

/** Whether a layer makes nothing below zero. */
function isNotNegative(layer: NodeLayer | undefined): boolean {
  switch (layer?.kind) {
    case "leakyRelu":
      return layer.negativeSlope === 0;
    case "clip":
      return layer.minimum >= 0;
    default:
      return layer?.kind === "sigmoid" || layer?.kind === "hardSigmoid";
  }
}

/** Reads MaxPool. */
export function readMaxPool(at: GraphReader): void {
  // Zeros are never greater than what a ReLU makes.
  const { map, before } = paddedMap(
    at,
    (map) => isNotNegative(at.layerOf(map)),
  );
  const window = windowOf(at, map.shape);
  if (at.current.outputs.length > 1) {
    throw new Unreadable("it gives the places of its maxima as well");
  }
  const { kernelSize, stride, ceilMode } = window;
  const padding = together(window.padding, before);
  const layer = maxPool2d(kernelSize, { stride, padding, ceilMode });
  at.give(at.append(layer, [map]));
}
