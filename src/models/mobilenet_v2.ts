import { relu6 } from "../nn/layers/activation.ts";
import { batchNorm2d } from "../nn/layers/batch_norm2d.ts";
import { conv2d } from "../nn/layers/conv2d.ts";
import { dropout } from "../nn/layers/dropout.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import {
  type Layer,
  residual,
  type Sequential,
  sequential,
} from "../nn/layers/layer.ts";
import { linear } from "../nn/layers/linear.ts";
import { convNormActivation, type ModelOptions } from "./_blocks.ts";

/** Expansion, channels, blocks and stride of each stage (Sandler et al. 2018, table 2). */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/**
 * Describes MobileNetV2, layer for layer as torchvision names it.
 *
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { mobilenetV2 } from "@gapcam/gapcam/models";
 *
 * const { name } = parametersOf(mobilenetV2({ classes: 10 }))[0]!;
 * if (name !== "features.0.0.weight") throw new Error(name);
 * ```
 */
export function mobilenetV2(options: ModelOptions): Sequential {
  const activation = relu6();
  const features: Layer[] = [
    convNormActivation(options.inputChannels ?? 3, 32, {
      stride: 2,
      activation,
    }),
  ];
  let channels = 32;
  for (const [expansion, outputs, count, stride] of STAGES) {
    for (let i = 0; i < count; i++) {
      features.push(
        block(channels, outputs, { expansion, stride: i === 0 ? stride : 1 }),
      );
      channels = outputs;
    }
  }
  features.push(
    convNormActivation(channels, 1280, { kernelSize: 1, activation }),
  );
  return sequential({
    features: sequential(features),
    pool: globalAveragePool(),
    classifier: sequential([dropout(0.2), linear(1280, options.classes)]),
  });
}

function block(
  inputs: number,
  outputs: number,
  { expansion, stride }: { expansion: number; stride: number },
): Layer {
  const activation = relu6();
  const inner = inputs * expansion;
  const layers: Layer[] = [];
  if (expansion !== 1) {
    layers.push(
      convNormActivation(inputs, inner, { kernelSize: 1, activation }),
    );
  }
  layers.push(
    convNormActivation(inner, inner, { stride, groups: inner, activation }),
    conv2d(inner, outputs, { kernelSize: 1, bias: false }),
    batchNorm2d(outputs),
  );
  const body = sequential({ conv: sequential(layers) });
  return stride === 1 && inputs === outputs ? residual(body) : body;
}
