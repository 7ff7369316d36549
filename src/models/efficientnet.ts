import { activation } from "../nn/layers/activation.ts";
import { dropout, stochasticDepth } from "../nn/layers/dropout.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import {
  type Layer,
  residual,
  type Sequential,
  sequential,
} from "../nn/layers/layer.ts";
import { linear } from "../nn/layers/linear.ts";
import {
  convNormActivation,
  divisibleBy8,
  type ModelOptions,
  squeezeExcitation,
} from "./_blocks.ts";
import {
  type EfficientNetBlock,
  efficientNetStages,
} from "./_efficientnet_stages.ts";

/** EfficientNet (Tan and Le 2019), by name: factors of width and depth, dropout, size of the images. */
export const EFFICIENTNETS = {
  efficientnet_b0: { width: 1.0, depth: 1.0, dropout: 0.2, imageSize: 224 },
  efficientnet_b1: { width: 1.0, depth: 1.1, dropout: 0.2, imageSize: 240 },
  efficientnet_b2: { width: 1.1, depth: 1.2, dropout: 0.3, imageSize: 288 },
  efficientnet_b3: { width: 1.2, depth: 1.4, dropout: 0.3, imageSize: 300 },
  efficientnet_b4: { width: 1.4, depth: 1.8, dropout: 0.4, imageSize: 380 },
} as const;

/** Names of {@linkcode EFFICIENTNETS}. */
export type EfficientNetName = keyof typeof EFFICIENTNETS;

/**
 * Describes an EfficientNet, layer for layer as torchvision names it.
 *
 * @param name Which one.
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { efficientnet } from "@gapcam/gapcam/models";
 *
 * const names = parametersOf(efficientnet("efficientnet_b0", { classes: 10 }))
 *   .map((parameter) => parameter.name);
 * if (!names.includes("features.1.0.block.1.fc1.weight")) throw new Error();
 * ```
 */
export function efficientnet(
  name: EfficientNetName,
  options: ModelOptions,
): Sequential {
  const { width, depth, dropout: dropped } = EFFICIENTNETS[name];
  const scaled = (channels: number) => divisibleBy8(channels * width);
  const stages = efficientNetStages(scaled(32), {
    channels: scaled,
    blocks: (count) => Math.ceil(count * depth),
  });
  const silu = activation("silu");
  const features: Layer[] = [
    convNormActivation(options.inputChannels ?? 3, scaled(32), {
      stride: 2,
      activation: silu,
    }),
    ...stages.map((blocks) => sequential(blocks.map(block))),
  ];
  const { outputs: channels } = stages.at(-1)!.at(-1)!;
  const last = 4 * channels;
  features.push(
    convNormActivation(channels, last, { kernelSize: 1, activation: silu }),
  );
  return sequential({
    features: sequential(features),
    avgpool: globalAveragePool(),
    classifier: sequential([dropout(dropped), linear(last, options.classes)]),
  });
}

function block(
  { inputs, outputs, expansion, kernelSize, stride, skipped }:
    EfficientNetBlock,
): Layer {
  const inner = divisibleBy8(inputs * expansion);
  const silu = activation("silu");
  const layers: Layer[] = [];
  if (inner !== inputs) {
    layers.push(
      convNormActivation(inputs, inner, { kernelSize: 1, activation: silu }),
    );
  }
  layers.push(
    convNormActivation(inner, inner, {
      kernelSize,
      stride,
      groups: inner,
      activation: silu,
    }),
    squeezeExcitation(inner, Math.max(1, Math.floor(inputs / 4)), silu),
    convNormActivation(inner, outputs, { kernelSize: 1 }),
  );
  if (stride !== 1 || inputs !== outputs) {
    return sequential({ block: sequential(layers) });
  }
  return residual(sequential({
    block: sequential(layers),
    stochastic_depth: stochasticDepth(skipped),
  }));
}
