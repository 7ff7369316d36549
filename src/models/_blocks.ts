import { activation } from "../nn/layers/activation.ts";
import { batchNorm2d } from "../nn/layers/batch_norm2d.ts";
import type { AnyPadding } from "../nn/layers/_checks.ts";
import { conv2d } from "../nn/layers/conv2d.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import {
  type Branches,
  branches,
  type Layer,
  type Sequential,
  sequential,
} from "../nn/layers/layer.ts";

/** What every family's function takes. */
export interface ModelOptions {
  /** Number of classes, from 1. */
  classes: number;
  /** Channels of the images. Default: 3. */
  inputChannels?: number;
}

/**
 * torchvision's Conv2dNormActivation: a convolution without bias that keeps the
 * size where its stride is 1, batch normalisation, and perhaps an activation;
 * they are called 0, 1 and 2.
 */
export function convNormActivation(
  inputChannels: number,
  outputChannels: number,
  options: {
    kernelSize?: number;
    stride?: number;
    padding?: AnyPadding;
    groups?: number;
    epsilon?: number;
    momentum?: number;
    activation?: Layer;
  } = {},
): Sequential {
  const { kernelSize = 3, epsilon = 1e-5, momentum = 0.1 } = options;
  return sequential([
    conv2d(inputChannels, outputChannels, {
      kernelSize,
      stride: options.stride ?? 1,
      padding: options.padding ?? Math.floor((kernelSize - 1) / 2),
      groups: options.groups ?? 1,
      bias: false,
    }),
    batchNorm2d(outputChannels, { epsilon, momentum }),
    ...(options.activation ? [options.activation] : []),
  ]);
}

/**
 * Squeeze and excitation (Hu et al. 2018), named as torchvision names it: each
 * channel is multiplied by a gate between 0 and 1 that all channels' means
 * decide.
 */
export function squeezeExcitation(
  channels: number,
  squeezed: number,
  inner: Layer,
): Branches {
  const gate = sequential({
    avgpool: globalAveragePool({ keepDimensions: true }),
    fc1: conv2d(channels, squeezed, { kernelSize: 1 }),
    activation: inner,
    fc2: conv2d(squeezed, channels, { kernelSize: 1 }),
    scale_activation: activation("sigmoid"),
  });
  return branches("multiply", [["", null], ["", gate]]);
}

/** A number of channels near `value` that 8 divides, not less than 0.9 of it. */
export function divisibleBy8(value: number): number {
  const nearest = Math.max(8, Math.floor((value + 4) / 8) * 8);
  return nearest < 0.9 * value ? nearest + 8 : nearest;
}
