import { graphOf, type Model, type ModelGraph } from "./graph_of.ts";
import type { Linear } from "./layers/linear.ts";

/** Where a model decides: global average pooling, then a linear layer. */
export interface Classifier {
  /** The number of the node whose output is pooled: the last map; -1 is the image. */
  readonly features: number;
  /** The linear layer's name. */
  readonly name: string;
  /** The linear layer. */
  readonly layer: Linear;
}

/**
 * Finds the linear layer that makes the logits, and the global average pooling
 * that feeds it.
 *
 * @returns Undefined if the model ends otherwise.
 */
export function classifierOf(
  model: Model,
): Classifier | undefined {
  const { nodes, output } = graphOf(model);
  const { name, layer, inputs: [pooled] } = nodes[output]!;
  if (layer.kind !== "linear") return undefined;
  const pool = nodes[pooled!];
  if (pool?.layer.kind !== "globalAveragePool") return undefined;
  return { features: pool.inputs[0]!, name, layer };
}

/**
 * The number of the node that makes the map in front of the last global
 * average pooling (-1: the image); undefined if nothing is pooled so.
 */
export function lastMapOf(graph: ModelGraph): number | undefined {
  return graph.nodes.findLast(({ layer }) => layer.kind === "globalAveragePool")
    ?.inputs[0];
}

/** How many logits a model gives, where a linear layer makes them. */
export function outputsOf(model: Model): number | undefined {
  const { nodes, output } = graphOf(model);
  const layer = nodes[output]?.layer;
  return layer?.kind === "linear" ? layer.outputFeatures : undefined;
}
