import { leakyRelu } from "../../src/nn/layers/activation.ts";
import { conv2d } from "../../src/nn/layers/conv2d.ts";
import { globalAveragePool } from "../../src/nn/layers/global_average_pool.ts";
import {
  type Layer,
  type Sequential,
  sequential,
} from "../../src/nn/layers/layer.ts";
import { linear } from "../../src/nn/layers/linear.ts";

/** A convolution with a bias and a leaky ReLU. */
interface Convolution {
  outputs: number;
  /** Height and width. Default: 3. */
  kernel?: number;
  /** Default: 1. */
  stride?: number;
  /** `depthwise`: as many as channels. Default: 1. */
  groups?: number | "depthwise";
  /** Default: 1. */
  dilation?: number;
  /** Above and left, below and right. Default: 1, 1. */
  padding?: readonly [number, number];
}

const none = [0, 0] as const;
const depthwise = "depthwise";

/** Convolutions that networks of many kinds are made of, one after the other, by name. */
export const CHAINS: Readonly<Record<string, readonly Convolution[]>> = {
  // As in MobileNet and EfficientNet, padded as TensorFlow pads, and off the
  // groups of channels.
  depthwise: [
    { outputs: 32, stride: 2, padding: [0, 1] },
    { outputs: 32, groups: depthwise },
    { outputs: 58, kernel: 1, padding: none },
    { outputs: 58, stride: 2, groups: depthwise },
    { outputs: 116, groups: depthwise },
    { outputs: 144, kernel: 1, padding: none },
    { outputs: 144, stride: 2, groups: depthwise, padding: [0, 1] },
    { outputs: 144, kernel: 5, groups: depthwise, padding: [2, 2] },
    { outputs: 144, kernel: 5, stride: 2, groups: depthwise, padding: [1, 2] },
    { outputs: 144, groups: depthwise, dilation: 2, padding: [2, 2] },
  ],
  // As in ResNeXt, RegNet and DeepLab.
  grouped: [
    { outputs: 64, kernel: 7, stride: 2, padding: [3, 3] },
    { outputs: 128, kernel: 1, padding: none },
    { outputs: 128, groups: 32 },
    { outputs: 256, stride: 2, groups: 32 },
    { outputs: 256, groups: 16 },
    { outputs: 104, kernel: 1, padding: none },
    { outputs: 104, stride: 2, groups: 13 },
    { outputs: 102 },
    { outputs: 128, dilation: 2, padding: [2, 2] },
    { outputs: 128, stride: 2, groups: 4, dilation: 2, padding: [2, 2] },
  ],
};

/** One of {@linkcode CHAINS} as a model of 10 classes. */
export function chainModel(chain: readonly Convolution[]): Sequential {
  const layers: Layer[] = [];
  let channels = 3;
  for (const one of chain) {
    const { outputs, kernel: kernelSize, stride, dilation } = one;
    const [before, after] = one.padding ?? [1, 1];
    layers.push(
      conv2d(channels, outputs, {
        ...{ kernelSize: kernelSize ?? 3, stride: stride ?? 1 },
        dilation: dilation ?? 1,
        groups: one.groups === depthwise ? channels : one.groups ?? 1,
        padding: [before, before, after, after],
      }),
      leakyRelu(0.2),
    );
    channels = outputs;
  }
  return sequential([...layers, globalAveragePool(), linear(channels, 10)]);
}
