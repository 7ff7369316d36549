import { relu } from "../nn/layers/activation.ts";
import { dropout } from "../nn/layers/dropout.ts";
import { flatten } from "../nn/layers/flatten.ts";
import { type Sequential, sequential } from "../nn/layers/layer.ts";
import { linear } from "../nn/layers/linear.ts";
import { vgg, type VggName } from "./vgg.ts";
import type { ModelOptions } from "./_blocks.ts";

/** torchvision's VGGs, by name. */
export const VGG_LINEAR_NAMES = [
  "vgg11_linear",
  "vgg13_linear",
  "vgg16_linear",
  "vgg19_linear",
  "vgg11_bn_linear",
  "vgg13_bn_linear",
  "vgg16_bn_linear",
  "vgg19_bn_linear",
] as const;

/** One of {@linkcode VGG_LINEAR_NAMES}. */
export type VggLinearName = typeof VGG_LINEAR_NAMES[number];

/**
 * Describes a VGG as Simonyan and Zisserman (2015) and torchvision have it:
 * three linear layers behind a map of 7 x 7, so images are of 224 x 224.
 * Without global average pooling it has no plain class activation map.
 *
 * @param name `vgg16_linear`, `vgg16_bn_linear` with batch normalisation, ...
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, 224, 224] to [N, classes].
 *
 * @example 138,357,544 parameters
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { vggLinear } from "@gapcam/gapcam/models";
 *
 * const parameters = parametersOf(vggLinear("vgg16_linear", { classes: 1000 }));
 * if (parameters.length !== 32) throw new Error();
 * ```
 */
export function vggLinear(
  name: VggLinearName,
  options: ModelOptions,
): Sequential {
  const trunk = name.split("_")[0] as VggName;
  const { layers } = vgg(trunk, {
    classes: options.classes,
    inputChannels: options.inputChannels ?? 3,
    negativeSlope: 0,
    batchNorm: name.includes("_bn"),
  });
  return sequential({
    features: layers.find(([own]) => own === "features")![1],
    flatten: flatten(),
    classifier: sequential([
      linear(512 * 7 * 7, 4096),
      relu(),
      dropout(),
      linear(4096, 4096),
      relu(),
      dropout(),
      linear(4096, options.classes),
    ]),
  });
}
