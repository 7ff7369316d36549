import { headOf } from "../nn/classifier_of.ts";
import { join, type Model } from "../nn/graph_of.ts";
import type { Conv2d } from "../nn/layers/conv2d.ts";
import type { Layer } from "../nn/layers/layer.ts";
import type { Linear } from "../nn/layers/linear.ts";

/**
 * The same model with a head for another number of classes: the layer that
 * decides is another, of as many outputs.
 */
export function withClasses(model: Model, classes: number): Model {
  const head = headOf(model);
  if (!head) return model;
  if (!("nodes" in model)) {
    return layerWith(model, { name: head.name, at: "", classes });
  }
  return {
    ...model,
    nodes: model.nodes.map((node) =>
      node.name === head.name
        ? { ...node, layer: headFor(head.layer, classes) }
        : node
    ),
  };
}

function layerWith(
  layer: Layer,
  head: { name: string; at: string; classes: number },
): Layer {
  const { name, at, classes } = head;
  if (layer.kind === "sequential") {
    return {
      ...layer,
      layers: layer.layers.map(([own, inner]) =>
        [own, layerWith(inner, { ...head, at: join(at, own) })] as const
      ),
    };
  }
  const decides = layer.kind === "linear" || layer.kind === "conv2d";
  return decides && at === name ? headFor(layer, classes) : layer;
}

function headFor<L extends Linear | Conv2d>(layer: L, classes: number): L {
  return layer.kind === "linear"
    ? { ...layer, outputFeatures: classes }
    : { ...layer, outputChannels: classes };
}
