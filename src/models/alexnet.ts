import { relu } from "../nn/layers/activation.ts";
import { conv2d } from "../nn/layers/conv2d.ts";
import { dropout } from "../nn/layers/dropout.ts";
import { flatten } from "../nn/layers/flatten.ts";
import { type Sequential, sequential } from "../nn/layers/layer.ts";
import { linear } from "../nn/layers/linear.ts";
import { maxPool2d } from "../nn/layers/max_pool2d.ts";
import type { ModelOptions } from "./_blocks.ts";

/**
 * Describes AlexNet (Krizhevsky 2014), layer for layer as torchvision names it.
 * Its head flattens a map of 6 x 6, so images are of 224 x 224; without global
 * average pooling it has no plain class activation map.
 *
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, 224, 224] to [N, classes].
 *
 * @example
 * ```ts
 * import { shapesOf } from "@gapcam/gapcam";
 * import { alexnet } from "@gapcam/gapcam/models";
 *
 * const nodes = shapesOf(alexnet({ classes: 10 }), [3, 224, 224]);
 * if (nodes.at(-1)?.outputShape[0] !== 10) throw new Error();
 * ```
 */
export function alexnet(options: ModelOptions): Sequential {
  return sequential({
    features: sequential([
      conv2d(options.inputChannels ?? 3, 64, {
        kernelSize: 11,
        stride: 4,
        padding: 2,
      }),
      relu(),
      maxPool2d(3, { stride: 2 }),
      conv2d(64, 192, { kernelSize: 5, padding: 2 }),
      relu(),
      maxPool2d(3, { stride: 2 }),
      conv2d(192, 384, { padding: 1 }),
      relu(),
      conv2d(384, 256, { padding: 1 }),
      relu(),
      conv2d(256, 256, { padding: 1 }),
      relu(),
      maxPool2d(3, { stride: 2 }),
    ]),
    flatten: flatten(),
    classifier: sequential([
      dropout(),
      linear(256 * 6 * 6, 4096),
      relu(),
      dropout(),
      linear(4096, 4096),
      relu(),
      linear(4096, options.classes),
    ]),
  });
}
