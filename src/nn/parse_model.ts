import { printableValue } from "../_printable.ts";
import { GapcamError } from "../error.ts";
import { kindNamed, type NodeLayer } from "./layers/_kinds.ts";
import {
  type GraphNode,
  graphOf,
  type Model,
  type ModelGraph,
} from "./graph_of.ts";
import { LayerJson } from "./layers/_layer_json.ts";
import { branches, type Layer, sequential } from "./layers/layer.ts";

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
  if (layer.kind === "sequential") return parseSequential(layer, depth);
  if (layer.kind === "branches") return parseBranches(layer, depth);
  const leaf = parseLeaf(layer);
  // A join reads several values, which only branches give.
  if (
    leaf.kind !== "add" && leaf.kind !== "multiply" &&
    leaf.kind !== "concatenate"
  ) return leaf;
  throw new GapcamError("bad-data", `layer ${leaf.kind} stands alone`);
}

function parseLeaf(json: LayerJson): NodeLayer {
  const kind = kindNamed(json.kind);
  if (kind) return kind.parse(json);
  throw new GapcamError(
    "bad-data",
    `layer kind ${printableValue(json.kind)} is not known`,
  );
}

function parseBranches(json: LayerJson, depth: number): Layer {
  const join = json.value("join");
  if (join !== "add" && join !== "multiply" && join !== "concatenate") {
    throw new GapcamError("bad-data", "branches do not say how they join");
  }
  return branches(
    join,
    entriesOf(json).map(([name, inner]) => [
      name,
      inner === null ? null : parseLayer(inner, depth + 1),
    ]),
  );
}

/** Names and what they name. */
function entriesOf(json: LayerJson): [name: string, inner: unknown][] {
  const entries = json.value("layers");
  if (!Array.isArray(entries)) {
    throw new GapcamError("bad-data", `${json.kind} has no list of layers`);
  }
  return entries.map((entry) => {
    if (Array.isArray(entry) && typeof entry[0] === "string") {
      return [entry[0], entry[1]];
    }
    throw new GapcamError("bad-data", `a layer of ${json.kind} has no name`);
  });
}

function parseSequential(json: LayerJson, depth: number): Layer {
  const named = entriesOf(json).map(([name, inner]): [string, Layer] => [
    name,
    parseLayer(inner, depth + 1),
  ]);
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
