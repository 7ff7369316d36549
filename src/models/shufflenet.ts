import { relu } from "../nn/layers/activation.ts";
import { batchNorm2d } from "../nn/layers/batch_norm2d.ts";
import { channelShuffle, sliceChannels } from "../nn/layers/channels.ts";
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
import { convNormActivation, type ModelOptions } from "./_blocks.ts";

/** Channels and blocks of each stage of ShuffleNetV2 1.0x (Ma et al. 2018). */
const STAGES = [[116, 4], [232, 8], [464, 4]] as const;

/**
 * Describes ShuffleNetV2 1.0x, layer for layer as torchvision names it.
 *
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { shufflenet } from "@gapcam/gapcam/models";
 *
 * const names = parametersOf(shufflenet({ classes: 10 })).map(({ name }) => name);
 * if (!names.includes("stage2.0.branch1.0.weight")) throw new Error();
 * ```
 */
export function shufflenet(options: ModelOptions): Sequential {
  const stages: Record<string, Layer> = {};
  let channels = 24;
  STAGES.forEach(([outputs, count], i) => {
    stages[`stage${i + 2}`] = sequential([
      downsampling(channels, outputs),
      ...Array.from({ length: count - 1 }, () => block(outputs)),
    ]);
    channels = outputs;
  });
  return sequential({
    conv1: convNormActivation(options.inputChannels ?? 3, 24, {
      stride: 2,
      activation: relu(),
    }),
    maxpool: maxPool2d(3, { stride: 2, padding: 1 }),
    ...stages,
    conv5: convNormActivation(channels, 1024, {
      kernelSize: 1,
      activation: relu(),
    }),
    pool: globalAveragePool(),
    fc: linear(1024, options.classes),
  });
}

/** Both branches see all channels and halve the map. */
function downsampling(inputs: number, outputs: number): Layer {
  const half = outputs / 2;
  return shuffled([
    [
      "branch1",
      sequential([
        depthwise(inputs, 2),
        batchNorm2d(inputs),
        conv2d(inputs, half, { kernelSize: 1, bias: false }),
        batchNorm2d(half),
        relu(),
      ]),
    ],
    ["branch2", transform(inputs, half, 2)],
  ]);
}

/** One half of the channels passes by the other's convolutions. */
function block(channels: number): Layer {
  const half = channels / 2;
  return shuffled([
    ["branch1", sliceChannels(0, half)],
    [
      "",
      sequential({
        chunk: sliceChannels(half, channels),
        branch2: transform(half, half, 1),
      }),
    ],
  ]);
}

function shuffled(layers: [string, Layer][]): Layer {
  return sequential({
    "": branches("concatenate", layers),
    shuffle: channelShuffle(2),
  });
}

function transform(inputs: number, half: number, stride: number): Layer {
  return sequential([
    conv2d(inputs, half, { kernelSize: 1, bias: false }),
    batchNorm2d(half),
    relu(),
    depthwise(half, stride),
    batchNorm2d(half),
    conv2d(half, half, { kernelSize: 1, bias: false }),
    batchNorm2d(half),
    relu(),
  ]);
}

function depthwise(channels: number, stride: number): Layer {
  return conv2d(channels, channels, {
    stride,
    padding: 1,
    groups: channels,
    bias: false,
  });
}
