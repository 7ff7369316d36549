import { relu } from "../nn/layers/activation.ts";
import { averagePool2d } from "../nn/layers/average_pool2d.ts";
import { batchNorm2d } from "../nn/layers/batch_norm2d.ts";
import { conv2d } from "../nn/layers/conv2d.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import {
  branches,
  type Layer,
  type Sequential,
  sequential,
} from "../nn/layers/layer.ts";
import { linear } from "../nn/layers/linear.ts";
import { maxPool2d } from "../nn/layers/max_pool2d.ts";
import type { ModelOptions } from "./_blocks.ts";

/** DenseNet (Huang et al. 2017), by name: growth rate, channels of the stem, layers of each block. */
export const DENSENETS = {
  densenet121: { growth: 32, stem: 64, blocks: [6, 12, 24, 16] },
  densenet161: { growth: 48, stem: 96, blocks: [6, 12, 36, 24] },
  densenet169: { growth: 32, stem: 64, blocks: [6, 12, 32, 32] },
  densenet201: { growth: 32, stem: 64, blocks: [6, 12, 48, 32] },
} as const;

/** Names of {@linkcode DENSENETS}. */
export type DenseNetName = keyof typeof DENSENETS;

/** Each layer of a block narrows to so many times the growth rate first. */
const BOTTLENECK = 4;

/**
 * Describes a DenseNet, layer for layer as torchvision names it.
 *
 * @param name Which one.
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { densenet } from "@gapcam/gapcam/models";
 *
 * const { name } = parametersOf(densenet("densenet121", { classes: 10 }))[0]!;
 * if (name !== "features.conv0.weight") throw new Error(name);
 * ```
 */
export function densenet(
  name: DenseNetName,
  options: ModelOptions,
): Sequential {
  const { growth, stem, blocks } = DENSENETS[name];
  const features: Record<string, Layer> = {
    conv0: conv2d(options.inputChannels ?? 3, stem, {
      kernelSize: 7,
      stride: 2,
      padding: 3,
      bias: false,
    }),
    norm0: batchNorm2d(stem),
    relu0: relu(),
    pool0: maxPool2d(3, { stride: 2, padding: 1 }),
  };
  let channels: number = stem;
  blocks.forEach((count, i) => {
    const layers: Record<string, Layer> = {};
    for (let j = 1; j <= count; j++) {
      layers[`denselayer${j}`] = branches("concatenate", [
        ["", null],
        ["", denseLayer(channels, growth)],
      ]);
      channels += growth;
    }
    features[`denseblock${i + 1}`] = sequential(layers);
    if (i === blocks.length - 1) return;
    features[`transition${i + 1}`] = sequential({
      norm: batchNorm2d(channels),
      relu: relu(),
      conv: conv2d(channels, channels / 2, { kernelSize: 1, bias: false }),
      pool: averagePool2d(2),
    });
    channels /= 2;
  });
  features.norm5 = batchNorm2d(channels);
  return sequential({
    features: sequential(features),
    relu: relu(),
    pool: globalAveragePool(),
    classifier: linear(channels, options.classes),
  });
}

function denseLayer(channels: number, growth: number): Layer {
  const inner = BOTTLENECK * growth;
  return sequential({
    norm1: batchNorm2d(channels),
    relu1: relu(),
    conv1: conv2d(channels, inner, { kernelSize: 1, bias: false }),
    norm2: batchNorm2d(inner),
    relu2: relu(),
    conv2: conv2d(inner, growth, { padding: 1, bias: false }),
  });
}
