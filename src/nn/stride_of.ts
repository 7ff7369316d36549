import { lastMapOf } from "./classifier_of.ts";
import { imageChannels } from "./_image_channels.ts";
import { graphOf, type Model } from "./graph_of.ts";
import { shapesOf } from "./output_shapes.ts";

/** Large enough for borders not to count. */
const LARGE = 4096;

/**
 * How many pixels of the image a place of the last map stands for: what the
 * layers in front of global average pooling shrink an image by.
 *
 * @param model A model; its image, where it pools nothing, has a stride of 1.
 * @returns Pixels down and across.
 *
 * @example Five pools halve five times
 * ```ts
 * import { strideOf, vgg } from "@gapcam/gapcam";
 *
 * const { height, width } = strideOf(vgg("vgg16", { classes: 10 }));
 * if (height !== 32 || width !== 32) throw new Error();
 * ```
 */
export function strideOf(model: Model): { height: number; width: number } {
  const graph = graphOf(model);
  const map = lastMapOf(graph);
  if (map === undefined || map < 0) return { height: 1, width: 1 };
  const image = [imageChannels(graph) ?? 1, LARGE, LARGE] as const;
  const [, height, width] = shapesOf(graph, image)[map]!.outputShape;
  const stride = (rows: number) => Math.max(1, Math.round(LARGE / rows));
  return { height: stride(height!), width: stride(width!) };
}
