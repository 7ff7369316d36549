import { type GraphReader } from "../_graph_reader.ts";
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
import { windowOf } from "./_window.ts";

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
  const map = at.map(0);
  const { kernelSize, stride, padding, ceilMode } = windowOf(at, map.shape);
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
    countIncludePad: at.number("count_include_pad", 0) === 1,
  });
  at.give(at.append(layer, [map]));
}
