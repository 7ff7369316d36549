import {
  type GraphNode,
  graphOf,
  type Model,
  type ModelGraph,
} from "./graph_of.ts";
import { kindOf, type NodeLayer } from "./layers/_kinds.ts";
import type { Conv2d } from "./layers/conv2d.ts";
import type { Linear } from "./layers/linear.ts";

/**
 * Where a model decides: global average pooling and then a linear layer; or
 * global average pooling alone, whose channels are the classes (Lin et al. 2014).
 */
export interface Classifier {
  /** The number of the node whose output is pooled: the last map; -1 is the image. */
  readonly features: number;
  /** The number of the node that pools it. */
  readonly pool: number;
  /** The linear layer and its name; undefined where a class has a channel of its own. */
  readonly linear:
    | { readonly name: string; readonly layer: Linear }
    | undefined;
}

const PASSING: ReadonlySet<string> = new Set(["dropout", "flatten"]);

/**
 * Finds what makes the logits, and the global average pooling that feeds it.
 *
 * @returns Undefined if the model ends otherwise.
 */
export function classifierOf(
  model: Model,
): Classifier | undefined {
  const { nodes, output } = graphOf(model);
  const { name, layer, inputs } = nodes[output]!;
  const isLinear = layer.kind === "linear";
  let pool = isLinear ? inputs[0]! : output;
  // What does nothing where nothing is trained.
  while (PASSING.has(nodes[pool]?.layer.kind ?? "")) {
    pool = nodes[pool]!.inputs[0]!;
  }
  if (nodes[pool]?.layer.kind !== "globalAveragePool") return undefined;
  return {
    features: nodes[pool]!.inputs[0]!,
    pool,
    linear: isLinear ? { name, layer } : undefined,
  };
}

/**
 * The number of the node that makes the map in front of the last global
 * average pooling (-1: the image); undefined if nothing is pooled so.
 */
export function lastMapOf(graph: ModelGraph): number | undefined {
  return graph.nodes.findLast(({ layer }) => layer.kind === "globalAveragePool")
    ?.inputs[0];
}

/**
 * The layer that decides how many logits a model gives: a linear one, or a
 * convolution whose channels are the classes.
 *
 * @returns Its node; undefined where there is none.
 */
export function headOf(
  model: Model,
): (GraphNode & { readonly layer: Linear | Conv2d }) | undefined {
  const { nodes, output } = graphOf(model);
  let node = nodes[output];
  while (node && KEEPING.has(node.layer.kind)) node = nodes[node.inputs[0]!];
  const { layer } = node ?? {};
  return layer?.kind === "linear" || layer?.kind === "conv2d"
    ? { ...node!, layer }
    : undefined;
}

/** How many logits a model gives; undefined where its layers do not say. */
export function outputsOf(model: Model): number | undefined {
  const layer = headOf(model)?.layer;
  return layer?.kind === "linear"
    ? layer.outputFeatures
    : layer?.outputChannels;
}

/**
 * Names all layers with parameters but the one that decides, as few names as
 * that takes: groups of layers where the deciding one is in none of them.
 *
 * @returns Names as {@linkcode TrainingOptions.freeze} takes them; none where
 * no layer decides.
 *
 * @example
 * ```ts
 * import { vgg } from "@gapcam/gapcam";
 * import { trunkNames } from "./classifier_of.ts";
 *
 * const names = trunkNames(vgg([4, "M", 8], { classes: 2 }));
 * if (names.join() !== "features") throw new Error(names.join());
 * ```
 */
export function trunkNames(model: Model): string[] {
  const graph = graphOf(model);
  const head = headOf(graph)?.name;
  if (head === undefined) return [];
  const names = graph.nodes
    .filter(({ name, layer }) => name !== head && hasParameters(layer))
    .map(({ name }) => {
      const parts = name.split(".");
      const groups = parts.map((_, i) => parts.slice(0, i + 1).join("."));
      return groups.find((one) => one !== head && !head.startsWith(`${one}.`))!;
    });
  return [...new Set(names)];
}

function hasParameters(layer: NodeLayer): boolean {
  return (kindOf(layer).parameters?.(layer) ?? []).length > 0;
}

/** What leaves the number of channels as it is. */
const KEEPING: ReadonlySet<string> = new Set([
  "globalAveragePool",
  "leakyRelu",
  "clip",
  "dropout",
  "batchNorm2d",
]);
