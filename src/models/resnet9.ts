import { relu } from "../nn/layers/activation.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import { linear } from "../nn/layers/linear.ts";
import {
  type Layer,
  residual,
  type Sequential,
  sequential,
} from "../nn/layers/layer.ts";
import { maxPool2d } from "../nn/layers/max_pool2d.ts";
import { convNormActivation, type ModelOptions } from "./_blocks.ts";

/**
 * The small residual network of Page ("How to train your ResNet", 2018), made
 * for images of 32 pixels or so: eight convolutions, each with batch
 * normalisation, two of the four stages residual, and three halvings. It ends in
 * global average pooling where the original took the maximum, so that its class
 * activation maps are exact.
 *
 * @param options Classes and channels.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { resnet9 } from "@gapcam/gapcam/models";
 *
 * const count = parametersOf(resnet9({ classes: 10 }))
 *   .filter(({ trainable }) => trainable)
 *   .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
 * if (count !== 6_573_130) throw new Error(`${count}`);
 * ```
 */
export function resnet9(options: ModelOptions): Sequential {
  const conv = (inputs: number, outputs: number) =>
    convNormActivation(inputs, outputs, { activation: relu() });
  const stage = (
    inputs: number,
    outputs: number,
    isResidual: boolean,
  ): Layer =>
    sequential({
      conv: conv(inputs, outputs),
      pool: maxPool2d(2),
      ...(isResidual
        ? {
          residual: residual(
            sequential([conv(outputs, outputs), conv(outputs, outputs)]),
          ),
        }
        : {}),
    });
  return sequential({
    prep: conv(options.inputChannels ?? 3, 64),
    layer1: stage(64, 128, true),
    layer2: stage(128, 256, false),
    layer3: stage(256, 512, true),
    avgpool: globalAveragePool(),
    fc: linear(512, options.classes),
  });
}
