import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import {
  type GlobalAveragePool,
  globalAveragePool,
} from "../../nn/layers/global_average_pool.ts";
import { integer, operator, type OperatorWriter } from "./_operator.ts";

/** Global average pooling keeps two dimensions of 1 in ONNX; Flatten drops them. */
export const writeGlobalAveragePool: OperatorWriter<GlobalAveragePool> = (
  { keepDimensions },
  at,
) => {
  if (keepDimensions) return [operator("GlobalAveragePool", at)];
  const pooled = `${at.name}.pooled`;
  return [
    operator("GlobalAveragePool", { ...at, output: pooled }),
    operator(
      "Flatten",
      { ...at, name: `${at.name}.flatten`, inputs: [pooled] },
      { attributes: [integer("axis", 1)] },
    ),
  ];
};

/** Reads GlobalAveragePool. */
export function readGlobalAveragePool(at: GraphReader): void {
  at.give(
    at.append(globalAveragePool({ keepDimensions: true }), [at.map(0)]),
  );
}

/** Reads ReduceMean over height and width: axes are an input from opset 18 on. */
export function readReduceMean(at: GraphReader): void {
  const { last = false, ...plain } = at.computed(0);
  const map = at.settled(plain);
  const rank = map.shape.length + 1;
  const axes = (at.has(1) ? at.constant(1).numbers() : at.numbers("axes"))
    ?.map((axis) => axis < 0 ? axis + rank : axis).sort();
  // Only said of no axes, which these are not.
  at.flag("noop_with_empty_axes");
  if (rank !== 4 || axes?.join() !== (last ? "1,2" : "2,3")) {
    throw new Unreadable(
      `its axes are [${axes?.join(", ") ?? ""}], expected height and width`,
    );
  }
  const keepDimensions = at.flag("keepdims", true);
  const pooled = at.append(globalAveragePool({ keepDimensions }), [map]);
  at.give(last && keepDimensions ? { ...pooled, last } : pooled);
}
