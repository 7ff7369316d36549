import { ProtoMessage } from "../../_protobuf.ts";
import { join } from "../../nn/graph_of.ts";
import { type AnyPadding, fixedSidesOf } from "../../nn/layers/_checks.ts";

/** Where a layer stands in the file: names of its module and of its values. */
export interface OperatorAt {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
}

/** Writes a layer as the operators of ONNX that do the same. */
export type OperatorWriter<L> = (layer: L, at: OperatorAt) => ProtoMessage[];

const ATTRIBUTE = { float: 1, integer: 2, text: 3, integers: 7 };

/** One NodeProto; `parameters` are the layer's own tensors, read after the inputs. */
export function operator(
  type: string,
  at: OperatorAt,
  parts: {
    parameters?: readonly string[];
    attributes?: readonly ProtoMessage[];
  } = {},
): ProtoMessage {
  const { parameters = [], attributes = [] } = parts;
  const message = new ProtoMessage()
    .texts(1, [
      ...at.inputs,
      ...parameters.map((parameter) => join(at.name, parameter)),
    ])
    .text(2, at.output)
    .text(3, at.name)
    .text(4, type);
  for (const attribute of attributes) message.message(5, attribute);
  return message;
}

/** A Constant that holds one 32-bit float. */
export function constant(name: string, value: number): ProtoMessage {
  return new ProtoMessage()
    .text(2, name)
    .text(3, name)
    .text(4, "Constant")
    .message(5, float("value_float", value));
}

/** A Constant that holds whole numbers. */
export function constantIntegers(
  name: string,
  values: readonly number[],
): ProtoMessage {
  return new ProtoMessage()
    .text(2, name)
    .text(3, name)
    .text(4, "Constant")
    .message(5, integers("value_ints", values));
}

/** An attribute that is a number. */
export function float(name: string, value: number): ProtoMessage {
  return new ProtoMessage().text(1, name).float(2, value)
    .integer(20, ATTRIBUTE.float);
}

/** An attribute that is a whole number. */
export function integer(name: string, value: number): ProtoMessage {
  return new ProtoMessage().text(1, name).integer(3, value)
    .integer(20, ATTRIBUTE.integer);
}

/** An attribute that is a list of whole numbers. */
export function integers(
  name: string,
  values: readonly number[],
): ProtoMessage {
  return new ProtoMessage().text(1, name).integers(8, values)
    .integer(20, ATTRIBUTE.integers);
}

/** An attribute that is a text. */
export function text(name: string, value: string): ProtoMessage {
  return new ProtoMessage().text(1, name).text(4, value)
    .integer(20, ATTRIBUTE.text);
}

/** The attributes of a window that moves over a map. */
export function windowAttributes(window: {
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: AnyPadding;
  readonly dilation?: readonly [number, number];
  readonly ceilMode?: boolean;
}): ProtoMessage[] {
  const { dilation, ceilMode } = window;
  return [
    integers("kernel_shape", window.kernelSize),
    integers("strides", window.stride),
    window.padding === "same"
      ? text("auto_pad", "SAME_UPPER")
      : integers("pads", fixedSidesOf(window.padding)),
    ...(dilation ? [integers("dilations", dilation)] : []),
    ...(ceilMode ? [integer("ceil_mode", 1)] : []),
  ];
}
