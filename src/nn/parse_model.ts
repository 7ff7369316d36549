import { printableValue } from "../_printable.ts";
import { GapcamError } from "../error.ts";
import { kindNamed } from "./layers/_kinds.ts";
import {
  type GraphNode,
  graphOf,
  type Model,
  type ModelGraph,
} from "./graph_of.ts";
import { LayerJson } from "./layers/_layer_json.ts";
import { type Layer, type Leaf, sequential } from "./layers/layer.ts";

/** Layers within layers, at most. */
const DEPTH_LIMIT = 16;

/**
 * Rebuilds a model from JSON that anybody may have written: layers or a graph,
 * only of known kinds, and only with values that the functions of
 * `src/nn/layers` accept.
 *
 * @throws {GapcamError} If it is no model.
 */
export function parseModel(json: unknown): Model {
  return typeof json === "object" && json !== null && "nodes" in json
    ? parseGraph(json as Record<string, unknown>)
    : parseLayer(json, 0);
}

function parseGraph(json: Record<string, unknown>): ModelGraph {
  const { nodes, output } = json;
  if (!Array.isArray(nodes) || typeof output !== "number") {
    throw new GapcamError("bad-data", "a graph has no nodes or no output");
  }
  const parsed = nodes.map((node): GraphNode => {
    const { name, inputs, layer } = (node ?? {}) as Record<string, unknown>;
    if (
      typeof name !== "string" || !Array.isArray(inputs) ||
      !inputs.every((input) => Number.isInteger(input))
    ) {
      throw new GapcamError(
        "bad-data",
        "a node of a graph has no name or no list of inputs",
      );
    }
    return { name, inputs, layer: parseLeaf(new LayerJson(layer)) };
  });
  return graphOf({ nodes: parsed, output });
}

function parseLayer(json: unknown, depth: number): Layer {
  if (depth > DEPTH_LIMIT) {
    throw new GapcamError(
      "bad-data",
      "a layer is not described by an object nested at most " +
        `${DEPTH_LIMIT} deep`,
    );
  }
  const layer = new LayerJson(json);
  return layer.kind === "sequential"
    ? parseSequential(layer, depth)
    : parseLeaf(layer);
}

function parseLeaf(json: LayerJson): Leaf {
  const kind = kindNamed(json.kind);
  if (kind) return kind.parse(json);
  throw new GapcamError(
    "bad-data",
    `layer kind ${printableValue(json.kind)} is not known`,
  );
}

function parseSequential(json: LayerJson, depth: number): Layer {
  const entries = json.value("layers");
  if (!Array.isArray(entries)) {
    throw new GapcamError("bad-data", "a sequence has no list of layers");
  }
  const named = entries.map((entry): [string, Layer] => {
    if (!Array.isArray(entry) || typeof entry[0] !== "string") {
      throw new GapcamError("bad-data", "a layer of a sequence has no name");
    }
    return [entry[0], parseLayer(entry[1], depth + 1)];
  });
  const rebuilt = sequential(
    named.every(([name], i) => name === String(i))
      ? named.map(([, inner]) => inner)
      : Object.fromEntries(named),
  );
  // An object may reorder or merge its keys.
  if (
    rebuilt.layers.length === named.length &&
    rebuilt.layers.every(([name], i) => name === named[i]![0])
  ) return rebuilt;
  throw new GapcamError("bad-data", "a sequence names its layers twice");
}
