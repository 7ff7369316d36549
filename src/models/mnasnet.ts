import { relu } from "../nn/layers/activation.ts";
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
import type { ModelOptions } from "./_blocks.ts";

/** Kernel, stride, expansion, channels and blocks of each stack (Tan et al. 2019, B1). */
const STACKS = [
  [3, 2, 3, 24, 3],
  [5, 2, 3, 40, 3],
  [5, 2, 6, 80, 3],
  [3, 1, 6, 96, 2],
  [5, 2, 6, 192, 4],
  [3, 1, 6, 320, 1],
] as const;

/** PyTorch's form of the 0.9997 that the paper has. */
const MOMENTUM = 1 - 0.9997;

/**
 * Describes MNASNet 1.0, layer for layer as torchvision names it.
 *
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { mnasnet } from "@gapcam/gapcam/models";
 *
 * const { name } = parametersOf(mnasnet({ classes: 10 }))[0]!;
 * if (name !== "layers.0.weight") throw new Error(name);
 * ```
 */
export function mnasnet(options: ModelOptions): Sequential {
  const layers: Layer[] = [
    ...convNorm(options.inputChannels ?? 3, 32, { kernelSize: 3, stride: 2 }),
    relu(),
    ...convNorm(32, 32, { kernelSize: 3, groups: 32 }),
    relu(),
    ...convNorm(32, 16, { kernelSize: 1 }),
  ];
  let channels = 16;
  for (const [kernelSize, stride, expansion, outputs, count] of STACKS) {
    const blocks = Array.from({ length: count }, (_, i) => {
      const one = block(channels, outputs, {
        kernelSize,
        stride: i === 0 ? stride : 1,
        expansion,
      });
      channels = outputs;
      return one;
    });
    layers.push(sequential(blocks));
  }
  layers.push(...convNorm(channels, 1280, { kernelSize: 1 }), relu());
  return sequential({
    layers: sequential(layers),
    pool: globalAveragePool(),
    classifier: sequential([dropout(0.2), linear(1280, options.classes)]),
  });
}

function block(
  inputs: number,
  outputs: number,
  { kernelSize, stride, expansion }: {
    kernelSize: number;
    stride: number;
    expansion: number;
  },
): Layer {
  const inner = inputs * expansion;
  const body = sequential({
    layers: sequential([
      ...convNorm(inputs, inner, { kernelSize: 1 }),
      relu(),
      ...convNorm(inner, inner, { kernelSize, stride, groups: inner }),
      relu(),
      ...convNorm(inner, outputs, { kernelSize: 1 }),
    ]),
  });
  return stride === 1 && inputs === outputs ? residual(body) : body;
}

function convNorm(
  inputs: number,
  outputs: number,
  options: { kernelSize: number; stride?: number; groups?: number },
): Layer[] {
  return [
    conv2d(inputs, outputs, {
      ...options,
      padding: Math.floor(options.kernelSize / 2),
      bias: false,
    }),
    batchNorm2d(outputs, { momentum: MOMENTUM }),
  ];
}
