import type { GraphNode, ModelGraph } from "../nn/graph_of.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import { linear } from "../nn/layers/linear.ts";
import type { StateDict } from "../host_tensor.ts";

/**
 * A graph as it would have been described: nothing that nobody reads, global
 * average pooling without dimensions of 1 behind it, and a head that is a
 * convolution over one pixel as the linear layer that it is.
 */
export function tidied(
  graph: ModelGraph,
  state: StateDict,
): { model: ModelGraph; state: StateDict } {
  const nodes = [...graph.nodes];
  const kept = new Map(state);
  const readers = new Map<number, number>([[graph.output, 1]]);
  for (const { inputs } of nodes) {
    for (const input of inputs) {
      readers.set(input, (readers.get(input) ?? 0) + 1);
    }
  }
  const isOnlyRead = (number: number) => readers.get(number) === 1;
  for (let i = 0; i < nodes.length; i++) {
    flattenEarly(nodes, i, { state: kept, isOnlyRead });
  }
  return withoutDead({ nodes, output: graph.output }, kept);
}

/**
 * Moves a flattening behind a pool, or behind a convolution that follows one,
 * up to the pool.
 */
function flattenEarly(
  nodes: GraphNode[],
  number: number,
  { state, isOnlyRead }: {
    state: StateDict;
    isOnlyRead: (number: number) => boolean;
  },
): void {
  const node = nodes[number]!;
  if (node.layer.kind !== "flatten") return;
  const [input] = node.inputs;
  const before = nodes[input!];
  if (!before || !isOnlyRead(input!)) return;
  if (before.layer.kind === "globalAveragePool") {
    // The pool gives rows itself; the flattening then reads what the pool read.
    nodes[number] = {
      ...node,
      name: before.name,
      layer: globalAveragePool(),
      inputs: before.inputs,
    };
    nodes[input!] = { ...before, name: `${before.name}.unread` };
    return;
  }
  const pool = nodes[before.inputs[0]!];
  const { layer } = before;
  if (
    layer.kind !== "conv2d" || pool?.layer.kind !== "globalAveragePool" ||
    !pool.layer.keepDimensions || layer.kernelSize.join() !== "1,1" ||
    layer.stride.join() !== "1,1" || layer.groups !== undefined ||
    (layer.padding !== "same" && layer.padding.some((size) => size !== 0)) ||
    !isOnlyRead(before.inputs[0]!)
  ) return;
  const weight = state.get(`${before.name}.weight`)!;
  state.set(`${before.name}.weight`, {
    shape: weight.shape.slice(0, 2),
    data: weight.data,
  });
  nodes[before.inputs[0]!] = { ...pool, layer: globalAveragePool() };
  nodes[number] = {
    ...node,
    name: before.name,
    layer: linear(layer.inputChannels, layer.outputChannels, {
      bias: layer.bias,
    }),
    inputs: before.inputs,
  };
  nodes[input!] = { ...before, name: `${before.name}.unread` };
}

function withoutDead(
  { nodes, output }: ModelGraph,
  state: StateDict,
): { model: ModelGraph; state: StateDict } {
  const live = new Set([output]);
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (live.has(i)) { for (const input of nodes[i]!.inputs) live.add(input); }
  }
  const numbers = new Map<number, number>([[-1, -1]]);
  const kept: GraphNode[] = [];
  nodes.forEach((node, i) => {
    if (!live.has(i)) return;
    numbers.set(i, kept.length);
    kept.push({
      ...node,
      inputs: node.inputs.map((input) => numbers.get(input)!),
    });
  });
  const names = new Set(kept.map(({ name }) => name));
  return {
    model: { nodes: kept, output: numbers.get(output)! },
    state: new Map(
      [...state].filter(([name]) =>
        names.has(name.slice(0, name.lastIndexOf(".")))
      ),
    ),
  };
}
