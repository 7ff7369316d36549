import type { GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import { type BatchNorm2d, batchNorm2d } from "../../nn/layers/batch_norm2d.ts";
import { float, operator, type OperatorWriter } from "./_operator.ts";

/** Batch normalisation is BatchNormalization, with the running statistics. */
export const writeBatchNorm2d: OperatorWriter<BatchNorm2d> = (layer, at) => [
  operator("BatchNormalization", at, {
    parameters: ["weight", "bias", "running_mean", "running_var"],
    attributes: [float("epsilon", layer.epsilon)],
  }),
];

/** Reads BatchNormalization, with the statistics that it has. */
export function readBatchNormalization(at: GraphReader): void {
  const map = at.map(0);
  if (at.flag("training_mode") || !at.flag("spatial", true)) {
    throw new Unreadable(
      "it does not normalise each channel by statistics that it has; export " +
        "the network in inference",
    );
  }
  const [weight, bias, mean, variance] = [1, 2, 3, 4].map((i) => at.weight(i));
  const layer = batchNorm2d(weight!.shape[0]!, {
    epsilon: at.number("epsilon", 1e-5),
    // ONNX says what stays of the old ones, PyTorch what comes of the new.
    momentum: Math.min(1, Math.max(0, 1 - at.number("momentum", 0.9))),
  });
  at.give(at.append(layer, [map], {
    weight: weight!,
    bias: bias!,
    running_mean: mean!,
    running_var: variance!,
  }));
}
