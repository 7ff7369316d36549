import type { ModelGraph } from "./graph_of.ts";

/** Channels of the image, as the first layer that knows them says. */
export function imageChannels({ nodes }: ModelGraph): number | undefined {
  for (const { layer } of nodes) {
    if (layer.kind === "conv2d") return layer.inputChannels;
    if (layer.kind === "batchNorm2d") return layer.channels;
  }
  return undefined;
}
