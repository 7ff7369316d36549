import { GapcamError } from "../error.ts";
import { leakyRelu } from "../nn/layers/activation.ts";
import { batchNorm2d } from "../nn/layers/batch_norm2d.ts";
import { conv2d } from "../nn/layers/conv2d.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import { type Layer, type Sequential, sequential } from "../nn/layers/layer.ts";
import { linear } from "../nn/layers/linear.ts";
import { maxPool2d } from "../nn/layers/max_pool2d.ts";

/** One step of a VGG trunk: output channels of a 3x3 convolution, or a 2x2 max pool. */
export type VggStep = number | "M";

/** Trunks of Simonyan and Zisserman (2015), by name. */
export const VGG_CONFIGURATIONS = {
  vgg11: [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
  vgg13: [
    64,
    64,
    "M",
    128,
    128,
    "M",
    256,
    256,
    "M",
    512,
    512,
    "M",
    512,
    512,
    "M",
  ],
  vgg16: [
    64,
    64,
    "M",
    128,
    128,
    "M",
    256,
    256,
    256,
    "M",
    512,
    512,
    512,
    "M",
    512,
    512,
    512,
    "M",
  ],
  vgg19: [
    64,
    64,
    "M",
    128,
    128,
    "M",
    256,
    256,
    256,
    256,
    "M",
    512,
    512,
    512,
    512,
    "M",
    512,
    512,
    512,
    512,
    "M",
  ],
} as const satisfies Record<string, readonly VggStep[]>;

/** Names of {@linkcode VGG_CONFIGURATIONS}. */
export type VggName = keyof typeof VGG_CONFIGURATIONS;

/** Options of {@linkcode vgg}. */
export interface VggOptions {
  /** Number of classes, from 1. */
  classes: number;
  /** Channels of the images. Default: 3. */
  inputChannels?: number;
  /** Slope of the leaky ReLU; 0 is ReLU. Default: 0.2. */
  negativeSlope?: number;
  /** Whether batch normalisation follows each convolution. Default: false. */
  batchNorm?: boolean;
}

/**
 * Describes a VGG trunk of 3x3 convolutions, then global average pooling and a
 * linear head in place of VGG's three: the network whose decisions class
 * activation maps explain (Zhou et al. 2016). Layers are named as torchvision
 * names them: `features.N`, `classifier`.
 *
 * @param trunk `vgg11`, `vgg13`, `vgg16`, `vgg19`, or a list such as
 * `[32, 32, "M", 64]`.
 * @param options Classes and details.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 * @throws {GapcamError} If the trunk is unknown or has no convolution.
 *
 * @example The seed network has 28 tensors and 14,719,818 parameters
 * ```ts
 * import { parametersOf, vgg } from "@gapcam/gapcam";
 *
 * const parameters = parametersOf(vgg("vgg16", { classes: 10 }));
 * if (parameters.length !== 28) throw new Error();
 * ```
 */
export function vgg(
  trunk: VggName | readonly VggStep[],
  options: VggOptions,
): Sequential {
  const steps = stepsOf(trunk);
  const slope = options.negativeSlope ?? 0.2;
  const layers: Layer[] = [];
  let channels = options.inputChannels ?? 3;
  for (const step of steps) {
    if (step === "M") {
      layers.push(maxPool2d(2));
      continue;
    }
    if (typeof step !== "number") {
      throw new GapcamError(
        "invalid-argument",
        `Cannot describe a VGG trunk with step ${JSON.stringify(step)}: ` +
          'expected a number of channels or "M"',
      );
    }
    layers.push(conv2d(channels, step, { kernelSize: 3, padding: 1 }));
    if (options.batchNorm) layers.push(batchNorm2d(step));
    layers.push(leakyRelu(slope));
    channels = step;
  }
  if (!steps.some((step) => step !== "M")) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot describe a VGG trunk without a convolution",
    );
  }
  return sequential({
    features: sequential(layers),
    pool: globalAveragePool(),
    classifier: linear(channels, options.classes),
  });
}

function stepsOf(trunk: VggName | readonly VggStep[]): readonly VggStep[] {
  if (typeof trunk !== "string") return trunk;
  if (Object.hasOwn(VGG_CONFIGURATIONS, trunk)) {
    return VGG_CONFIGURATIONS[trunk];
  }
  throw new GapcamError(
    "not-found",
    `Cannot describe model ${JSON.stringify(trunk)}: expected one of ${
      Object.keys(VGG_CONFIGURATIONS).join(", ")
    }`,
  );
}
