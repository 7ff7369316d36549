import type { NodeLayer } from "../../nn/layers/_kinds.ts";
import type { GraphReader } from "../_graph_reader.ts";
import type { ProtoMessage } from "../../_protobuf.ts";
import type { OperatorAt, OperatorWriter } from "./_operator.ts";
import * as activation from "./activation.ts";
import * as average from "./average_pool2d.ts";
import * as norm from "./batch_norm2d.ts";
import * as channels from "./channels.ts";
import * as constant from "./constant.ts";
import * as conv from "./conv2d.ts";
import * as globalPool from "./global_average_pool.ts";
import * as join from "./join.ts";
import * as linear from "./linear.ts";
import * as max from "./max_pool2d.ts";
import * as shape from "./shape.ts";

/** How each kind of layer is written: to forget one does not compile. */
const WRITERS: {
  readonly [K in NodeLayer["kind"]]: OperatorWriter<
    Extract<NodeLayer, { kind: K }>
  >;
} = {
  conv2d: conv.writeConv2d,
  leakyRelu: activation.writeLeakyRelu,
  clip: activation.writeClip,
  sigmoid: activation.writeActivation,
  silu: activation.writeActivation,
  hardSigmoid: activation.writeActivation,
  hardSwish: activation.writeActivation,
  gelu: activation.writeActivation,
  batchNorm2d: norm.writeBatchNorm2d,
  maxPool2d: max.writeMaxPool2d,
  averagePool2d: average.writeAveragePool2d,
  globalAveragePool: globalPool.writeGlobalAveragePool,
  flatten: shape.writeFlatten,
  dropout: shape.writeNothing,
  stochasticDepth: shape.writeNothing,
  sliceChannels: channels.writeSliceChannels,
  channelShuffle: channels.writeChannelShuffle,
  linear: linear.writeLinear,
  add: join.writeAdd,
  multiply: join.writeMultiply,
  concatenate: join.writeConcatenate,
};

/** How each operator is read, by its type. */
const READERS: Readonly<Record<string, (at: GraphReader) => void>> = {
  Add: join.readAdd,
  AveragePool: average.readAveragePool,
  BatchNormalization: norm.readBatchNormalization,
  Cast: shape.readCast,
  Clip: activation.readClip,
  Concat: join.readConcat,
  Constant: constant.readConstant,
  ConstantOfShape: constant.readConstantOfShape,
  Conv: conv.readConv,
  Div: join.readDiv,
  Dropout: shape.readIdentity,
  Flatten: shape.readFlatten,
  Gather: channels.readGather,
  Gelu: activation.readGelu,
  Gemm: linear.readGemm,
  GlobalAveragePool: globalPool.readGlobalAveragePool,
  HardSigmoid: activation.readHardSigmoid,
  HardSwish: activation.readHardSwish,
  Identity: shape.readIdentity,
  LeakyRelu: activation.readLeakyRelu,
  LogSoftmax: activation.readSoftmax,
  MatMul: linear.readMatMul,
  MaxPool: max.readMaxPool,
  Mul: join.readMul,
  PRelu: activation.readPRelu,
  Pad: shape.readPad,
  ReduceMean: globalPool.readReduceMean,
  Relu: activation.readRelu,
  Reshape: shape.readReshape,
  Shape: shape.readShape,
  Sigmoid: activation.readSigmoid,
  Slice: channels.readSlice,
  Softmax: activation.readSoftmax,
  Split: channels.readSplit,
  Squeeze: shape.readSqueeze,
  Sub: join.readSub,
  Sum: join.readSum,
  Transpose: shape.readTranspose,
  Unsqueeze: shape.readUnsqueeze,
};

/**
 * Attributes that change nothing here: of training, of outputs that nobody reads,
 * and axes of what is a list of sizes. Any other that is not read may make
 * another operator of it, as a later version of ONNX has them.
 */
const IDLE: Readonly<Record<string, readonly string[]>> = {
  Cast: ["saturate", "to"],
  Concat: ["axis"],
  Dropout: ["ratio", "seed"],
  MaxPool: ["storage_order"],
  Split: ["num_outputs"],
  Squeeze: ["axes"],
  Unsqueeze: ["axes"],
};

/** Whether an attribute changes nothing. */
export function isIdle(operator: string, attribute: string): boolean {
  return Object.hasOwn(IDLE, operator) &&
    IDLE[operator]!.includes(attribute);
}

/** The operators of one layer. */
export function operatorsOf(layer: NodeLayer, at: OperatorAt): ProtoMessage[] {
  const write = WRITERS[layer.kind] as OperatorWriter<NodeLayer>;
  return write(layer, at);
}

/** What reads an operator; undefined if none does. */
export function readerOf(
  operator: string,
): ((at: GraphReader) => void) | undefined {
  return Object.hasOwn(READERS, operator) ? READERS[operator] : undefined;
}
