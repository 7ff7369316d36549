import type { Size2d } from "../../device/size2d.ts";
import { pair, whole } from "./_checks.ts";
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
  /** Zeros added above and below, left and right. */
  readonly padding: readonly [number, number];
  /** Whether a bias is added to each channel. */
  readonly bias: boolean;
}

/**
 * Describes a 2-D convolution with PyTorch's defaults.
 *
 * @param inputChannels Channels of the input, from 1.
 * @param outputChannels Channels of the output, from 1.
 * @param options `kernelSize` (default 3), `stride` (1), `padding` (0), `bias` (true).
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
    padding?: Size2d;
    bias?: boolean;
  } = {},
): Conv2d {
  return {
    kind: "conv2d",
    inputChannels: whole("inputChannels", inputChannels),
    outputChannels: whole("outputChannels", outputChannels),
    kernelSize: pair("kernelSize", options.kernelSize ?? 3, 1),
    stride: pair("stride", options.stride ?? 1, 1),
    padding: pair("padding", options.padding ?? 0, 0),
    bias: options.bias ?? true,
  };
}

/** What is true of convolutions. */
export const conv2dKind: LayerKind<Conv2d> = {
  parse: (json) =>
    conv2d(json.number("inputChannels"), json.number("outputChannels"), {
      kernelSize: json.pair("kernelSize"),
      stride: json.pair("stride"),
      padding: json.pair("padding"),
      bias: json.flag("bias"),
    }),
  outputShape: (layer, [input]) => {
    const [channels] = mapShape(input);
    expect(
      channels === layer.inputChannels,
      `${layer.inputChannels} channels`,
    );
    return [layer.outputChannels, ...windowsOf(layer, input)];
  },
  parameters: ({ inputChannels, outputChannels, kernelSize, bias }) => {
    const shape = [outputChannels, inputChannels, ...kernelSize];
    return weightAndBias(shape, bias);
  },
  record: (layer, { program, inputs, parameter }) =>
    program.conv2d(inputs[0], parameter("weight"), {
      ...(layer.bias ? { bias: parameter("bias") } : {}),
      stride: layer.stride,
      padding: layer.padding,
    }),
};
