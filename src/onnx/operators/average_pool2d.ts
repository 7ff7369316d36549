import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import {
  type AveragePool2d,
  averagePool2d,
} from "../../nn/layers/average_pool2d.ts";
import { globalAveragePool } from "../../nn/layers/global_average_pool.ts";
import {
  integer,
  operator,
  type OperatorWriter,
  windowAttributes,
} from "./_operator.ts";
import { paddedMap, together, windowOf } from "./_window.ts";

/** Average pooling is AveragePool. */
export const writeAveragePool2d: OperatorWriter<AveragePool2d> = (
  { ceilMode, ...layer },
  at,
) => [
  operator("AveragePool", at, {
    attributes: [
      ...windowAttributes(layer),
      integer("ceil_mode", ceilMode ? 1 : 0),
      integer("count_include_pad", layer.countIncludePad ? 1 : 0),
    ],
  }),
];

/** Reads AveragePool. */
export function readAveragePool(at: GraphReader): void {
  // Zeros in front of it count among the values of a window.
  const { map, before } = paddedMap(at, () => true);
  const window = windowOf(at, map.shape);
  const { kernelSize, stride, ceilMode } = window;
  const isPadded = before.some((size) => size > 0);
  if (isPadded && (ceilMode || window.padding.some((size) => size > 0))) {
    throw new Unreadable("it pads more than the padding in front of it does");
  }
  const padding = together(window.padding, before);
  const countIncludePad = at.flag("count_include_pad") || isPadded;
  const [, height, width] = map.shape;
  // Older files pool the whole map so.
  if (
    kernelSize[0] === height && kernelSize[1] === width &&
    padding.every((size) => size === 0)
  ) {
    return at.give(
      at.append(globalAveragePool({ keepDimensions: true }), [map]),
    );
  }
  const layer = averagePool2d(kernelSize, {
    stride,
    padding,
    ceilMode,
    countIncludePad,
  });
  at.give(at.append(layer, [map]));
}
