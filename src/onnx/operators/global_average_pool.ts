import type { GlobalAveragePool } from "../../nn/layers/global_average_pool.ts";
import { integer, operator, type OperatorWriter } from "./_operator.ts";

/** Global average pooling keeps two dimensions of 1 in ONNX; Flatten drops them. */
export const writeGlobalAveragePool: OperatorWriter<GlobalAveragePool> = (
  _,
  at,
) => {
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
