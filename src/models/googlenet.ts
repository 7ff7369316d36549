import { relu } from "../nn/layers/activation.ts";
import { batchNorm2d } from "../nn/layers/batch_norm2d.ts";
import { conv2d } from "../nn/layers/conv2d.ts";
import { dropout } from "../nn/layers/dropout.ts";
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

/** Channels of an inception block: input, 1x1, 3x3 (narrowed, made), "5x5" (likewise), pool. */
type Inception = readonly [
  inputs: number,
  one: number,
  threeInner: number,
  three: number,
  fiveInner: number,
  five: number,
  pool: number,
];

const BLOCKS: Readonly<Record<string, Inception>> = {
  inception3a: [192, 64, 96, 128, 16, 32, 32],
  inception3b: [256, 128, 128, 192, 32, 96, 64],
  inception4a: [480, 192, 96, 208, 16, 48, 64],
  inception4b: [512, 160, 112, 224, 24, 64, 64],
  inception4c: [512, 128, 128, 256, 24, 64, 64],
  inception4d: [512, 112, 144, 288, 32, 64, 64],
  inception4e: [528, 256, 160, 320, 32, 128, 128],
  inception5a: [832, 256, 160, 320, 32, 128, 128],
  inception5b: [832, 384, 192, 384, 48, 128, 128],
};

/**
 * Describes GoogLeNet (Szegedy et al. 2015) with batch normalisation and
 * without its auxiliary heads, layer for layer as torchvision names it.
 *
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { googlenet } from "@gapcam/gapcam/models";
 *
 * const { name } = parametersOf(googlenet({ classes: 10 }))[0]!;
 * if (name !== "conv1.conv.weight") throw new Error(name);
 * ```
 */
export function googlenet(options: ModelOptions): Sequential {
  const block = (name: string): Record<string, Layer> => ({
    [name]: inception(BLOCKS[name]!),
  });
  const halve = (kernelSize: number) =>
    maxPool2d(kernelSize, { stride: 2, ceilMode: true });
  return sequential({
    conv1: basic(options.inputChannels ?? 3, 64, { kernelSize: 7, stride: 2 }),
    maxpool1: halve(3),
    conv2: basic(64, 64, { kernelSize: 1 }),
    conv3: basic(64, 192, { kernelSize: 3 }),
    maxpool2: halve(3),
    ...block("inception3a"),
    ...block("inception3b"),
    maxpool3: halve(3),
    ...block("inception4a"),
    ...block("inception4b"),
    ...block("inception4c"),
    ...block("inception4d"),
    ...block("inception4e"),
    maxpool4: halve(2),
    ...block("inception5a"),
    ...block("inception5b"),
    avgpool: globalAveragePool(),
    dropout: dropout(0.2),
    fc: linear(1024, options.classes),
  });
}

function inception(
  [inputs, one, threeInner, three, fiveInner, five, pool]: Inception,
): Layer {
  return branches("concatenate", [
    ["branch1", basic(inputs, one, { kernelSize: 1 })],
    [
      "branch2",
      sequential([
        basic(inputs, threeInner, { kernelSize: 1 }),
        basic(threeInner, three, { kernelSize: 3 }),
      ]),
    ],
    [
      "branch3",
      // The paper's convolution of 5x5 is one of 3x3 in torchvision's weights.
      sequential([
        basic(inputs, fiveInner, { kernelSize: 1 }),
        basic(fiveInner, five, { kernelSize: 3 }),
      ]),
    ],
    [
      "branch4",
      sequential([
        maxPool2d(3, { stride: 1, padding: 1, ceilMode: true }),
        basic(inputs, pool, { kernelSize: 1 }),
      ]),
    ],
  ]);
}

function basic(
  inputs: number,
  outputs: number,
  { kernelSize, stride = 1 }: { kernelSize: number; stride?: number },
): Layer {
  return sequential({
    conv: conv2d(inputs, outputs, {
      kernelSize,
      stride,
      padding: Math.floor(kernelSize / 2),
      bias: false,
    }),
    bn: batchNorm2d(outputs, { epsilon: 1e-3 }),
    relu: relu(),
  });
}
