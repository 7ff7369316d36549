import { nearestNames } from "../_nearest_names.ts";
import { GapcamError } from "../error.ts";
import { classifierOf } from "../nn/classifier_of.ts";
import type { ModelGraph } from "../nn/graph_of.ts";
import type { ShapedNode } from "../nn/output_shapes.ts";
import { neededNodes } from "../nn/record.ts";

/** A layer whose map is explained. */
export interface MapLayer {
  /** Its node's number; -1 is the image. */
  readonly node: number;
  /** Its node's name. */
  readonly name: string;
  /** [channels, height, width] of its map. */
  readonly shape: readonly [number, number, number];
}

/**
 * The layer of that name: a node, or a group's last map, such as `layer4`.
 *
 * @param nodes The nodes and the shapes of what they make.
 * @throws {GapcamError} If there is none, it makes no map, or no output depends
 * on it.
 */
export function layerNamed(
  name: string,
  { graph, nodes }: { graph: ModelGraph; nodes: readonly ShapedNode[] },
): MapLayer {
  const within = nodes.flatMap((node, i) =>
    node.name === name || node.name.startsWith(`${name}.`) ? [i] : []
  );
  if (within.length === 0) {
    throw new GapcamError(
      "not-found",
      `Cannot explain layer ${JSON.stringify(name)}: the network has none of ` +
        `that name; the nearest are ${
          nearestNames(name, layerNames(nodes)).join(", ")
        }`,
    );
  }
  const maps = within.filter((i) => nodes[i]!.outputShape.length === 3);
  if (maps.length === 0) {
    const [size] = nodes[within.at(-1)!]!.outputShape;
    throw new GapcamError(
      "unsupported",
      `Cannot explain layer ${
        JSON.stringify(name)
      }: it makes ${size} numbers ` +
        "an image, expected a map; the last layer that makes one is " +
        nodes[lastMapBefore(graph, nodes)]!.name,
    );
  }
  const needed = neededNodes(graph, new Set<number>());
  const node = maps.findLast((i) => needed.has(i));
  if (node !== undefined) return mapLayer(node, nodes);
  throw new GapcamError(
    "unsupported",
    `Cannot explain layer ${JSON.stringify(name)}: the network's answer does ` +
      "not depend on it",
  );
}

/**
 * The last map before the head: what global average pooling reads, or the last
 * one of several pixels where the network ends otherwise.
 *
 * @throws {GapcamError} If no layer makes a map.
 */
export function lastMapLayer(
  graph: ModelGraph,
  nodes: readonly ShapedNode[],
): MapLayer {
  const node = classifierOf(graph)?.features ?? lastMapBefore(graph, nodes);
  if (node >= 0) return mapLayer(node, nodes);
  throw new GapcamError(
    "unsupported",
    "Cannot explain the network: no layer makes a map; explain the pixels",
  );
}

function lastMapBefore(
  graph: ModelGraph,
  nodes: readonly ShapedNode[],
): number {
  const needed = neededNodes(graph, new Set<number>());
  const last = (least: number) =>
    nodes.findLastIndex(({ outputShape: [, height, width] }, i) =>
      needed.has(i) && width !== undefined && height! * width >= least
    );
  const several = last(2);
  return several >= 0 ? several : last(1);
}

function mapLayer(node: number, nodes: readonly ShapedNode[]): MapLayer {
  const { name, layer, outputShape } = nodes[node]!;
  return {
    node,
    name: name || layer.kind,
    shape: outputShape as [number, number, number],
  };
}

/** Nodes and the groups that they are in. */
function layerNames(nodes: readonly ShapedNode[]): string[] {
  const names = new Set<string>();
  for (const { name, outputShape } of nodes) {
    if (outputShape.length !== 3) continue;
    const parts = name.split(".");
    parts.forEach((_, i) => names.add(parts.slice(0, i + 1).join(".")));
  }
  return [...names];
}
