import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import { paddingOf, pairOf } from "./_window.ts";
import { type Conv2d, conv2d } from "../../nn/layers/conv2d.ts";
import {
  integer,
  operator,
  type OperatorWriter,
  windowAttributes,
} from "./_operator.ts";

/** A convolution is Conv. */
export const writeConv2d: OperatorWriter<Conv2d> = (layer, at) => [
  operator("Conv", at, {
    parameters: layer.bias ? ["weight", "bias"] : ["weight"],
    attributes: [
      ...windowAttributes(layer),
      ...(layer.groups ? [integer("group", layer.groups)] : []),
    ],
  }),
];

/** Reads Conv. */
export function readConv(at: GraphReader): void {
  const input = at.computed(0);
  const padded = input.pending?.kind === "padded"
    ? input.pending.sides
    : undefined;
  const map = padded ? { ...input, pending: undefined } : at.map(0);
  const weight = at.weight(1);
  const [outputs, perGroup, ...kernel] = weight.shape;
  if (weight.shape.length !== 4 || map.shape.length !== 3) {
    throw new Unreadable(
      `its weight is [${weight.shape.join(", ")}], expected [outputs, ` +
        "inputs, height, width] over a map",
    );
  }
  const size = at.numbers("kernel_shape");
  if (size && size.join() !== kernel.join()) {
    throw new Unreadable(
      `its kernel_shape is [${size.join(", ")}], but its weight has [${
        kernel.join(", ")
      }]`,
    );
  }
  const groups = at.number("group", 1);
  const stride = pairOf(at, "strides", [1, 1]);
  const dilation = pairOf(at, "dilations", [1, 1]);
  const own = paddingOf(at, {
    size: map.shape.slice(1) as [number, number],
    kernel: kernel as [number, number],
    stride,
    dilation,
  });
  const same = padded === undefined &&
    at.text("auto_pad", "NOTSET") === "SAME_UPPER";
  const padding = own.map((size, i) => size + (padded?.[i] ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  const layer = conv2d(perGroup! * groups, outputs!, {
    kernelSize: kernel as [number, number],
    stride,
    padding: same ? "same" : padding,
    dilation,
    groups,
    bias: at.has(2),
  });
  at.give(
    at.append(layer, [map], {
      weight,
      ...(at.has(2) ? { bias: at.weight(2) } : {}),
    }),
  );
}
