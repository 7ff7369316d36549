import { GapcamError } from "../error.ts";
import type { NodeLayer } from "./layers/_kinds.ts";
import type { Layer } from "./layers/layer.ts";

/** One layer of a graph, and what it reads. */
export interface GraphNode {
  /** PyTorch's name of the module, such as `features.0`. */
  readonly name: string;
  /** What it does. */
  readonly layer: NodeLayer;
  /** Numbers of the nodes whose outputs it reads; -1 is the image. */
  readonly inputs: readonly number[];
}

/**
 * A model as everything but people works on it: nodes in an order in which
 * they can be computed. Layers lower to it; see {@linkcode graphOf}.
 */
export interface ModelGraph {
  /** Each reads only what comes before it. */
  readonly nodes: readonly GraphNode[];
  /** The number of the node whose output is the model's. */
  readonly output: number;
}

/** A network without its parameters: layers, or the graph itself. */
export type Model = Layer | ModelGraph;

/**
 * The flat graph of a model.
 *
 * @param model Any layer, or a graph, which is checked.
 * @returns The nodes in order, with their full names.
 * @throws {GapcamError} If a name comes twice, or a node reads what is not
 * there or comes after it (a cycle).
 *
 * @example The layers of a trunk
 * ```ts
 * import { graphOf, vgg } from "@gapcam/gapcam";
 *
 * const { nodes } = graphOf(vgg([8, "M"], { classes: 2 }));
 * const names = nodes.map(({ name }) => name);
 * if (names.join() !== "features.0,features.1,features.2,pool,classifier") {
 *   throw new Error(names.join());
 * }
 * ```
 */
export function graphOf(model: Model): ModelGraph {
  if ("nodes" in model) return checked(model);
  const nodes: GraphNode[] = [];
  const output = lower(model, { name: "", input: -1, nodes });
  return checked({ nodes, output });
}

/** Appends a layer's nodes and returns the number of the last. */
function lower(
  layer: Layer,
  at: { name: string; input: number; nodes: GraphNode[] },
): number {
  const { name, nodes } = at;
  if (layer.kind === "sequential") {
    return layer.layers.reduce(
      (input, [own, inner]) =>
        lower(inner, { name: join(name, own), input, nodes }),
      at.input,
    );
  }
  if (layer.kind === "branches") {
    const inputs = layer.layers.map(([own, inner]) =>
      inner === null ? at.input : lower(inner, {
        name: join(name, own),
        input: at.input,
        nodes,
      })
    );
    nodes.push({
      name: join(name, layer.join),
      layer: { kind: layer.join },
      inputs,
    });
  } else nodes.push({ name, layer, inputs: [at.input] });
  return nodes.length - 1;
}

function checked(graph: ModelGraph): ModelGraph {
  const names = new Set<string>();
  graph.nodes.forEach(({ name, layer, inputs }, number) => {
    const node = name || layer.kind;
    if (names.has(name)) fail(`two layers are called ${node}`);
    names.add(name);
    if (inputs.length === 0) fail(`${node} reads nothing`);
    for (const input of inputs) {
      if (Number.isInteger(input) && input >= -1 && input < number) continue;
      fail(
        graph.nodes[input]
          ? `${node} reads ${
            graph.nodes[input].name
          }, which does not come before it`
          : `${node} reads node ${input}, which does not exist`,
      );
    }
  });
  if (!graph.nodes[graph.output]) {
    fail(`its output is node ${graph.output}, which does not exist`);
  }
  return graph;
}

function fail(problem: string): never {
  throw new GapcamError(
    "invalid-argument",
    `Cannot build the model's graph: ${problem}`,
  );
}

/** Joins names as PyTorch does; an empty one adds nothing. */
export function join(prefix: string, name: string): string {
  return prefix === "" || name === "" ? prefix + name : `${prefix}.${name}`;
}
