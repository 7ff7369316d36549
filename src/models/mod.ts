/**
 * Networks by name: what is read of torchvision's and others' weights, as plain
 * data that {@linkcode Network} computes.
 *
 * @module
 */

export type { ModelOptions } from "./_blocks.ts";
export { alexnet } from "./alexnet.ts";
export { densenet, type DenseNetName, DENSENETS } from "./densenet.ts";
export {
  efficientnet,
  type EfficientNetName,
  EFFICIENTNETS,
} from "./efficientnet.ts";
export {
  EFFICIENTNET_LITES,
  efficientnetLite,
  type EfficientNetLiteName,
} from "./efficientnet_lite.ts";
export { type KnownModel, MODELS } from "./find_model.ts";
export { googlenet } from "./googlenet.ts";
export { imagenetClasses } from "./imagenet_classes.ts";
export { mnasnet } from "./mnasnet.ts";
export { mobilenetV2 } from "./mobilenet_v2.ts";
export { PRETRAINED, type PretrainedNetwork } from "./pretrained.ts";
export { type RecognisedModel, recogniseModel } from "./recognise_model.ts";
export { regnet } from "./regnet.ts";
export { resnet, type ResNetName, RESNETS } from "./resnet.ts";
export { resnet9 } from "./resnet9.ts";
export { shufflenet } from "./shufflenet.ts";
export { squeezenet, type SqueezeNetName, SQUEEZENETS } from "./squeezenet.ts";
export {
  VGG_LINEAR_NAMES,
  vggLinear,
  type VggLinearName,
} from "./vgg_linear.ts";
