import type { Sequential } from "../nn/layers/layer.ts";
import type { ModelOptions } from "./_blocks.ts";
import { alexnet } from "./alexnet.ts";
import { densenet, type DenseNetName, DENSENETS } from "./densenet.ts";
import {
  efficientnet,
  type EfficientNetName,
  EFFICIENTNETS,
} from "./efficientnet.ts";
import {
  EFFICIENTNET_LITES,
  efficientnetLite,
  type EfficientNetLiteName,
} from "./efficientnet_lite.ts";
import { googlenet } from "./googlenet.ts";
import { mnasnet } from "./mnasnet.ts";
import { mobilenetV2 } from "./mobilenet_v2.ts";
import { regnet } from "./regnet.ts";
import { resnet, type ResNetName, RESNETS } from "./resnet.ts";
import { resnet9 } from "./resnet9.ts";
import { shufflenet } from "./shufflenet.ts";
import { squeezenet, type SqueezeNetName, SQUEEZENETS } from "./squeezenet.ts";
import { VGG_LINEAR_NAMES, vggLinear } from "./vgg_linear.ts";

/** A network that is known by name. */
export interface KnownModel {
  /** Describes it. */
  readonly build: (
    options: ModelOptions & { stem?: "imagenet" | "small" },
  ) => Sequential;
  /** Height and width of the images that its published weights take. */
  readonly imageSize: number;
  /** Mean of each channel that they take, of pixels in [0, 1]. */
  readonly mean: readonly [number, number, number];
  /** Standard deviation of each channel. */
  readonly deviation: readonly [number, number, number];
}

/** What torchvision's weights are trained with. */
const IMAGENET = {
  imageSize: 224,
  mean: [0.485, 0.456, 0.406],
  deviation: [0.229, 0.224, 0.225],
} as const;

/** What EfficientNet-Lite's are: (x - 127) / 128. */
const LITE = {
  mean: [127 / 255, 127 / 255, 127 / 255],
  deviation: [128 / 255, 128 / 255, 128 / 255],
} as const;

/** Where nobody else's weights say otherwise. */
const HALF = [0.5, 0.5, 0.5] as const;

function entries<Name extends string>(
  names: readonly Name[],
  known: (name: Name) => KnownModel,
): [string, KnownModel][] {
  return names.map((name) => [name, known(name)]);
}

/** Networks by the names that torchvision and their papers give them. */
export const MODELS: Readonly<Record<string, KnownModel>> = Object.fromEntries([
  ...entries(Object.keys(RESNETS) as ResNetName[], (name) => ({
    build: (options) => resnet(name, options),
    ...IMAGENET,
  })),
  ...entries(["resnet9"], () => ({
    build: resnet9,
    ...{ imageSize: 32, mean: HALF, deviation: HALF },
  })),
  ...entries(Object.keys(DENSENETS) as DenseNetName[], (name) => ({
    build: (options) => densenet(name, options),
    ...IMAGENET,
  })),
  ...entries(Object.keys(SQUEEZENETS) as SqueezeNetName[], (name) => ({
    build: (options) => squeezenet(name, options),
    ...IMAGENET,
  })),
  ...entries(Object.keys(EFFICIENTNETS) as EfficientNetName[], (name) => ({
    build: (options) => efficientnet(name, options),
    ...IMAGENET,
    imageSize: EFFICIENTNETS[name].imageSize,
  })),
  ...entries(
    Object.keys(EFFICIENTNET_LITES) as EfficientNetLiteName[],
    (name) => ({
      build: (options) => efficientnetLite(name, options),
      ...LITE,
      imageSize: EFFICIENTNET_LITES[name].imageSize,
    }),
  ),
  ...entries(["googlenet"], () => ({ build: googlenet, ...IMAGENET })),
  ...entries(["mobilenet_v2"], () => ({ build: mobilenetV2, ...IMAGENET })),
  ...entries(["mnasnet1_0"], () => ({ build: mnasnet, ...IMAGENET })),
  ...entries(["regnet_y_400mf"], () => ({ build: regnet, ...IMAGENET })),
  ...entries(
    ["shufflenet_v2_x1_0"],
    () => ({ build: shufflenet, ...IMAGENET }),
  ),
  ...entries(["alexnet"], () => ({ build: alexnet, ...IMAGENET })),
  ...entries(VGG_LINEAR_NAMES, (name) => ({
    build: (options) => vggLinear(name, options),
    ...IMAGENET,
  })),
]);

/**
 * A network's name as {@linkcode MODELS} has it, where it is written with
 * hyphens, as in `efficientnet-lite0`; any other text as it is.
 */
export function modelNameOf(text: string): string {
  const name = text.toLowerCase().replaceAll("-", "_");
  return Object.hasOwn(MODELS, name) ? name : text;
}
