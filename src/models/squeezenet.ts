import { relu } from "../nn/layers/activation.ts";
import { conv2d } from "../nn/layers/conv2d.ts";
import { dropout } from "../nn/layers/dropout.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import {
  branches,
  type Layer,
  type Sequential,
  sequential,
} from "../nn/layers/layer.ts";
import { maxPool2d } from "../nn/layers/max_pool2d.ts";
import type { ModelOptions } from "./_blocks.ts";

/** Channels that a fire module reads, squeezes to, and makes by 1x1 and by 3x3. */
type Fire = readonly [inputs: number, squeezed: number, each: number];

/** SqueezeNet (Iandola et al. 2016), by name. */
export const SQUEEZENETS = {
  squeezenet1_0: {
    stem: { channels: 96, kernelSize: 7 },
    steps: [
      "M",
      [96, 16, 64],
      [128, 16, 64],
      [128, 32, 128],
      "M",
      [256, 32, 128],
      [256, 48, 192],
      [384, 48, 192],
      [384, 64, 256],
      "M",
      [512, 64, 256],
    ],
  },
  squeezenet1_1: {
    stem: { channels: 64, kernelSize: 3 },
    steps: [
      "M",
      [64, 16, 64],
      [128, 16, 64],
      "M",
      [128, 32, 128],
      [256, 32, 128],
      "M",
      [256, 48, 192],
      [384, 48, 192],
      [384, 64, 256],
      [512, 64, 256],
    ],
  },
} as const satisfies Record<string, {
  stem: { channels: number; kernelSize: number };
  steps: readonly ("M" | Fire)[];
}>;

/** Names of {@linkcode SQUEEZENETS}. */
export type SqueezeNetName = keyof typeof SQUEEZENETS;

/**
 * Describes a SqueezeNet, layer for layer as torchvision names it. Its head is
 * that of Network in Network (Lin et al. 2014): a 1x1 convolution to the
 * classes, ReLU, and global average pooling, so that a class's own channel is
 * its map and the mean of that channel its logit.
 *
 * @param name Which one.
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { squeezenet } from "@gapcam/gapcam/models";
 *
 * const names = parametersOf(squeezenet("squeezenet1_1", { classes: 10 }))
 *   .map((parameter) => parameter.name);
 * if (names.at(-1) !== "classifier.1.bias") throw new Error(names.at(-1));
 * ```
 */
export function squeezenet(
  name: SqueezeNetName,
  options: ModelOptions,
): Sequential {
  const { stem, steps } = SQUEEZENETS[name];
  const layers: Layer[] = [
    conv2d(options.inputChannels ?? 3, stem.channels, {
      kernelSize: stem.kernelSize,
      stride: 2,
    }),
    relu(),
  ];
  for (const step of steps) {
    layers.push(
      step === "M" ? maxPool2d(3, { stride: 2, ceilMode: true }) : fire(step),
    );
  }
  return sequential({
    features: sequential(layers),
    classifier: sequential([
      dropout(0.5),
      conv2d(512, options.classes, { kernelSize: 1 }),
      relu(),
      globalAveragePool(),
    ]),
  });
}

function fire([inputs, squeezed, each]: Fire): Layer {
  return sequential({
    squeeze: conv2d(inputs, squeezed, { kernelSize: 1 }),
    squeeze_activation: relu(),
    "": branches("concatenate", [
      [
        "",
        sequential({
          expand1x1: conv2d(squeezed, each, { kernelSize: 1 }),
          expand1x1_activation: relu(),
        }),
      ],
      [
        "",
        sequential({
          expand3x3: conv2d(squeezed, each, { padding: 1 }),
          expand3x3_activation: relu(),
        }),
      ],
    ]),
  });
}
