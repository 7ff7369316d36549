import type { Model } from "../nn/graph_of.ts";
import type { Layer, Leaf } from "../nn/layers/layer.ts";
import { linear } from "../nn/layers/linear.ts";

/**
 * The same model with a head for another number of classes: its last linear
 * layer is another.
 */
export function withClasses(model: Model, classes: number): Model {
  if (!("nodes" in model)) return layerWith(model, classes);
  const last = model.nodes.findLastIndex(({ layer }) =>
    layer.kind === "linear"
  );
  return {
    ...model,
    nodes: model.nodes.map((node, i) =>
      i === last
        ? { ...node, layer: layerWith(node.layer, classes) as Leaf }
        : node
    ),
  };
}

function layerWith(layer: Layer, classes: number): Layer {
  if (layer.kind === "linear") {
    return linear(layer.inputFeatures, classes, { bias: layer.bias });
  }
  if (layer.kind !== "sequential") return layer;
  const last = layer.layers.findLastIndex(([, inner]) =>
    inner.kind === "linear" || inner.kind === "sequential"
  );
  return {
    ...layer,
    layers: layer.layers.map(([name, inner], i) =>
      [name, i === last ? layerWith(inner, classes) : inner] as const
    ),
  };
}
