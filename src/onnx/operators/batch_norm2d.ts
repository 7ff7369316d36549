import type { BatchNorm2d } from "../../nn/layers/batch_norm2d.ts";
import { float, operator, type OperatorWriter } from "./_operator.ts";

/** Batch normalisation is BatchNormalization, with the running statistics. */
export const writeBatchNorm2d: OperatorWriter<BatchNorm2d> = (layer, at) => [
  operator("BatchNormalization", at, {
    parameters: ["weight", "bias", "running_mean", "running_var"],
    attributes: [float("epsilon", layer.epsilon)],
  }),
];
