import { relu } from "../nn/layers/activation.ts";
import { batchNorm2d } from "../nn/layers/batch_norm2d.ts";
import { conv2d } from "../nn/layers/conv2d.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import {
  type Layer,
  residual,
  type Sequential,
  sequential,
} from "../nn/layers/layer.ts";
import { linear } from "../nn/layers/linear.ts";
import { maxPool2d } from "../nn/layers/max_pool2d.ts";
import type { ModelOptions } from "./_blocks.ts";

/** How a ResNet of {@linkcode RESNETS} differs from the others. */
interface Configuration {
  /** Blocks of each stage. */
  readonly blocks: readonly [number, number, number, number];
  /** Whether a block narrows its channels for its 3x3 convolution. */
  readonly bottleneck: boolean;
  /** Groups of that convolution. Default: 1. */
  readonly groups?: number;
  /** Channels of a group in the first stage. Default: 64. */
  readonly width?: number;
}

/** ResNet (He et al. 2016), ResNeXt (Xie et al. 2017) and Wide ResNet (Zagoruyko and Komodakis 2016), by name. */
export const RESNETS = {
  resnet18: { blocks: [2, 2, 2, 2], bottleneck: false },
  resnet34: { blocks: [3, 4, 6, 3], bottleneck: false },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: true },
  resnet101: { blocks: [3, 4, 23, 3], bottleneck: true },
  resnet152: { blocks: [3, 8, 36, 3], bottleneck: true },
  resnext50_32x4d: {
    blocks: [3, 4, 6, 3],
    bottleneck: true,
    groups: 32,
    width: 4,
  },
  resnext101_32x8d: {
    blocks: [3, 4, 23, 3],
    bottleneck: true,
    groups: 32,
    width: 8,
  },
  wide_resnet50_2: { blocks: [3, 4, 6, 3], bottleneck: true, width: 128 },
} as const satisfies Record<string, Configuration>;

/** Names of {@linkcode RESNETS}. */
export type ResNetName = keyof typeof RESNETS;

/**
 * Describes a ResNet, layer for layer as torchvision names it.
 *
 * @param name Which one.
 * @param options Classes; `stem`: `imagenet` (default) halves the image twice
 * before the first block, `small` keeps its size, for images of 32 pixels or so.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example The names are torchvision's
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { resnet } from "@gapcam/gapcam/models";
 *
 * const names = parametersOf(resnet("resnet18", { classes: 10 }))
 *   .map((parameter) => parameter.name);
 * if (!names.includes("layer2.0.downsample.0.weight")) throw new Error();
 * ```
 */
export function resnet(
  name: ResNetName,
  options: ModelOptions & { stem?: "imagenet" | "small" },
): Sequential {
  const configuration: Configuration = RESNETS[name];
  const channels = options.inputChannels ?? 3;
  const small = options.stem === "small";
  const expansion = configuration.bottleneck ? 4 : 1;
  const layers: Record<string, Layer> = {
    conv1: conv2d(channels, 64, {
      kernelSize: small ? 3 : 7,
      stride: small ? 1 : 2,
      padding: small ? 1 : 3,
      bias: false,
    }),
    bn1: batchNorm2d(64),
    relu: relu(),
    ...(small ? {} : { maxpool: maxPool2d(3, { stride: 2, padding: 1 }) }),
  };
  let inputs = 64;
  configuration.blocks.forEach((count, stage) => {
    const planes = 64 * 2 ** stage;
    const blocks = Array.from({ length: count }, (_, i) => {
      const stride = i === 0 && stage > 0 ? 2 : 1;
      const one = block(configuration, { inputs, planes, stride });
      inputs = planes * expansion;
      return one;
    });
    layers[`layer${stage + 1}`] = sequential(blocks);
  });
  return sequential({
    ...layers,
    avgpool: globalAveragePool(),
    fc: linear(inputs, options.classes),
  });
}

function block(
  { bottleneck, groups = 1, width = 64 }: Configuration,
  size: { inputs: number; planes: number; stride: number },
): Layer {
  const { inputs, planes, stride } = size;
  const outputs = bottleneck ? 4 * planes : planes;
  const inner = bottleneck ? Math.floor(planes * width / 64) * groups : planes;
  const body = bottleneck
    ? sequential({
      conv1: conv2d(inputs, inner, { kernelSize: 1, bias: false }),
      bn1: batchNorm2d(inner),
      relu1: relu(),
      // The stride is here, as torchvision has it (ResNet 1.5).
      conv2: conv2d(inner, inner, { stride, padding: 1, groups, bias: false }),
      bn2: batchNorm2d(inner),
      relu2: relu(),
      conv3: conv2d(inner, outputs, { kernelSize: 1, bias: false }),
      bn3: batchNorm2d(outputs),
    })
    : sequential({
      conv1: conv2d(inputs, planes, { stride, padding: 1, bias: false }),
      bn1: batchNorm2d(planes),
      relu1: relu(),
      conv2: conv2d(planes, planes, { padding: 1, bias: false }),
      bn2: batchNorm2d(planes),
    });
  const shortcut = stride === 1 && inputs === outputs ? null : sequential([
    conv2d(inputs, outputs, { kernelSize: 1, stride, bias: false }),
    batchNorm2d(outputs),
  ]);
  return sequential({ "": residual(body, shortcut), relu: relu() });
}
