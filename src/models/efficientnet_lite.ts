import { relu6 } from "../nn/layers/activation.ts";
import { batchNorm2d } from "../nn/layers/batch_norm2d.ts";
import { conv2d } from "../nn/layers/conv2d.ts";
import { dropout, stochasticDepth } from "../nn/layers/dropout.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import {
  type Layer,
  residual,
  type Sequential,
  sequential,
} from "../nn/layers/layer.ts";
import { linear } from "../nn/layers/linear.ts";
import { divisibleBy8, type ModelOptions } from "./_blocks.ts";
import {
  type EfficientNetBlock,
  efficientNetStages,
} from "./_efficientnet_stages.ts";

/** EfficientNet-Lite, by name: factors of width and depth, size of the images, dropout. */
export const EFFICIENTNET_LITES = {
  efficientnet_lite0: { width: 1.0, depth: 1.0, imageSize: 224, dropout: 0.2 },
  efficientnet_lite1: { width: 1.0, depth: 1.1, imageSize: 240, dropout: 0.2 },
  efficientnet_lite2: { width: 1.1, depth: 1.2, imageSize: 260, dropout: 0.3 },
  efficientnet_lite3: { width: 1.2, depth: 1.4, imageSize: 280, dropout: 0.3 },
  efficientnet_lite4: { width: 1.4, depth: 1.8, imageSize: 300, dropout: 0.3 },
} as const;

/** Names of {@linkcode EFFICIENTNET_LITES}. */
export type EfficientNetLiteName = keyof typeof EFFICIENTNET_LITES;

const NORM = { epsilon: 1e-3, momentum: 0.01 };

/**
 * Describes an EfficientNet-Lite: EfficientNet (Tan and Le 2019) without
 * squeeze and excitation, with ReLU6 in place of swish, a stem and a head that
 * no factor widens, and a first and last stage that none deepens. Names are
 * those of the weights that are published for PyTorch; convolutions pad as
 * TensorFlow does.
 *
 * @param name Which one.
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { efficientnetLite } from "@gapcam/gapcam/models";
 *
 * const model = efficientnetLite("efficientnet_lite0", { classes: 10 });
 * const { name } = parametersOf(model)[0]!;
 * if (name !== "_conv_stem.weight") throw new Error(name);
 * ```
 */
export function efficientnetLite(
  name: EfficientNetLiteName,
  options: ModelOptions,
): Sequential {
  const { width, depth, dropout: dropped } = EFFICIENTNET_LITES[name];
  const scaled = (channels: number) => divisibleBy8(channels * width);
  const blocks = efficientNetStages(32, {
    channels: scaled,
    blocks: (count, { between }) => between ? Math.ceil(count * depth) : count,
  }).flat();
  const { outputs: channels } = blocks.at(-1)!;
  return sequential({
    _conv_stem: conv(options.inputChannels ?? 3, 32, {
      kernelSize: 3,
      stride: 2,
    }),
    _bn0: batchNorm2d(32, NORM),
    _relu0: relu6(),
    _blocks: sequential(blocks.map(block)),
    _conv_head: conv(channels, 1280, { kernelSize: 1 }),
    _bn1: batchNorm2d(1280, NORM),
    _relu1: relu6(),
    _avg_pooling: globalAveragePool(),
    _dropout: dropout(dropped),
    _fc: linear(1280, options.classes),
  });
}

function block(
  { inputs, outputs, expansion, kernelSize, stride, skipped }:
    EfficientNetBlock,
): Layer {
  const inner = inputs * expansion;
  const repeats = stride === 1 && inputs === outputs;
  const layers: Record<string, Layer> = {};
  if (expansion !== 1) {
    layers._expand_conv = conv(inputs, inner, { kernelSize: 1 });
    layers._bn0 = batchNorm2d(inner, NORM);
    layers._relu0 = relu6();
  }
  layers._depthwise_conv = conv(inner, inner, {
    kernelSize,
    stride,
    groups: inner,
  });
  layers._bn1 = batchNorm2d(inner, NORM);
  layers._relu1 = relu6();
  layers._project_conv = conv(inner, outputs, { kernelSize: 1 });
  layers._bn2 = batchNorm2d(outputs, NORM);
  if (repeats) layers._drop_connect = stochasticDepth(skipped);
  return repeats ? residual(sequential(layers)) : sequential(layers);
}

function conv(
  inputs: number,
  outputs: number,
  options: { kernelSize: number; stride?: number; groups?: number },
): Layer {
  return conv2d(inputs, outputs, { ...options, padding: "same", bias: false });
}
