import type { Padding2d, Size2d } from "../../device/size2d.ts";
import { GapcamError } from "../../error.ts";
import { type AnyPadding, paddingOf, pair, sidesOf, whole } from "./_checks.ts";
import { expect, type LayerKind, mapShape, windowsOf } from "./_layer_kind.ts";
import { weightAndBias } from "./_weight_and_bias.ts";

/** 2-D convolution (cross-correlation); see {@linkcode conv2d}. */
export interface Conv2d {
  /** Tells layers apart. */
  readonly kind: "conv2d";
  /** Channels of the input. */
  readonly inputChannels: number;
  /** Channels of the output. */
  readonly outputChannels: number;
  /** Height and width of the kernel. */
  readonly kernelSize: readonly [number, number];
  /** Rows and columns from one window to the next. */
  readonly stride: readonly [number, number];
  /** Zeros added above and below, left and right; or above, left, below, right; or `same`. */
  readonly padding: AnyPadding;
  /** Whether a bias is added to each channel. */
  readonly bias: boolean;
  /** Groups of channels that do not see each other's inputs. Default: 1. */
  readonly groups?: number;
  /** Pixels from one of the kernel's to the next. Default: 1. */
  readonly dilation?: readonly [number, number];
}

/**
 * Describes a 2-D convolution with PyTorch's defaults.
 *
 * @param inputChannels Channels of the input, from 1.
 * @param outputChannels Channels of the output, from 1.
 * @param options `kernelSize` (default 3), `stride` (1), `padding` (0; four
 * numbers: above, left, below, right; `same`: as TensorFlow), `bias` (true), `groups` (1; divides the
 * channels of input and output), `dilation` (1).
 * @returns A layer from [N, inputChannels, H, W] to [N, outputChannels, rows, columns].
 * @throws {GapcamError} If a number is not whole or too small.
 *
 * @example A strided convolution halves the map
 * ```ts
 * import { conv2d, shapesOf } from "@gapcam/gapcam";
 *
 * const layer = conv2d(3, 8, { stride: 2, padding: 1 });
 * const [shaped] = shapesOf(layer, [3, 32, 32]);
 * if (shaped?.outputShape.join() !== "8,16,16") throw new Error();
 * ```
 */
export function conv2d(
  inputChannels: number,
  outputChannels: number,
  options: {
    kernelSize?: Size2d;
    stride?: Size2d;
    padding?: Padding2d | "same";
    bias?: boolean;
    groups?: number;
    dilation?: Size2d;
  } = {},
): Conv2d {
  const groups = whole("groups", options.groups ?? 1);
  const dilation = pair("dilation", options.dilation ?? 1, 1);
  whole("inputChannels", inputChannels);
  whole("outputChannels", outputChannels);
  if (inputChannels % groups !== 0 || outputChannels % groups !== 0) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot describe a convolution of ${inputChannels} to ` +
        `${outputChannels} channels in ${groups} groups: expected both to be ` +
        "multiples of the groups",
    );
  }
  return {
    kind: "conv2d",
    inputChannels,
    outputChannels,
    kernelSize: pair("kernelSize", options.kernelSize ?? 3, 1),
    stride: pair("stride", options.stride ?? 1, 1),
    padding: options.padding === "same"
      ? "same"
      : paddingOf("padding", options.padding ?? 0),
    bias: options.bias ?? true,
    ...(groups > 1 ? { groups } : {}),
    ...(dilation.some((size) => size > 1) ? { dilation } : {}),
  };
}

/** What is true of convolutions. */
export const conv2dKind: LayerKind<Conv2d> = {
  parse: (json) =>
    conv2d(json.number("inputChannels"), json.number("outputChannels"), {
      kernelSize: json.pair("kernelSize"),
      stride: json.pair("stride"),
      padding: json.anyPadding("padding"),
      bias: json.flag("bias"),
      groups: json.value("groups") === undefined ? 1 : json.number("groups"),
      dilation: json.value("dilation") === undefined
        ? 1
        : json.pair("dilation"),
    }),
  outputShape: (layer, [input]) => {
    const [channels] = mapShape(input);
    expect(
      channels === layer.inputChannels,
      `${layer.inputChannels} channels`,
    );
    return [layer.outputChannels, ...windowsOf(layer, input)];
  },
  parameters: ({ outputChannels, kernelSize, bias, ...layer }) => {
    const inputs = layer.inputChannels / (layer.groups ?? 1);
    return weightAndBias([outputChannels, inputs, ...kernelSize], bias);
  },
  multiplyAdds: ({ inputChannels, groups = 1, kernelSize: [rows, columns] }) =>
    inputChannels / groups * rows * columns,
  record: (layer, { program, inputs, parameter }) =>
    program.conv2d(inputs[0], parameter("weight"), {
      ...(layer.bias ? { bias: parameter("bias") } : {}),
      stride: layer.stride,
      padding: sidesOf(layer.padding, {
        ...layer,
        size: inputs[0].shape.slice(2) as [number, number],
      }),
      dilation: layer.dilation ?? 1,
      groups: layer.groups ?? 1,
    }),
};
