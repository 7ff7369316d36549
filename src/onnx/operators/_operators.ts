import type { Leaf } from "../../nn/layers/layer.ts";
import type { ProtoMessage } from "../_protobuf.ts";
import type { OperatorAt, OperatorWriter } from "./_operator.ts";
import { writeLeakyRelu } from "./activation.ts";
import { writeBatchNorm2d } from "./batch_norm2d.ts";
import { writeConv2d } from "./conv2d.ts";
import { writeGlobalAveragePool } from "./global_average_pool.ts";
import { writeLinear } from "./linear.ts";
import { writeMaxPool2d } from "./max_pool2d.ts";

/** How each kind of layer is written: to forget one does not compile. */
const WRITERS: {
  readonly [K in Leaf["kind"]]: OperatorWriter<Extract<Leaf, { kind: K }>>;
} = {
  conv2d: writeConv2d,
  leakyRelu: writeLeakyRelu,
  batchNorm2d: writeBatchNorm2d,
  maxPool2d: writeMaxPool2d,
  globalAveragePool: writeGlobalAveragePool,
  linear: writeLinear,
};

/** The operators of one layer. */
export function operatorsOf(layer: Leaf, at: OperatorAt): ProtoMessage[] {
  const write = WRITERS[layer.kind] as OperatorWriter<Leaf>;
  return write(layer, at);
}
