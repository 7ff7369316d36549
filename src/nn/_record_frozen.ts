import type { Device } from "../device/device.ts";
import type { Tensor } from "../device/tensor.ts";
import { elementCount } from "../host_tensor.ts";
import { isWithin } from "./_groups.ts";
import { type GraphNode, join, type ModelGraph } from "./graph_of.ts";
import type { BatchNorm2d } from "./layers/batch_norm2d.ts";
import { type Conv2d, conv2d, conv2dKind } from "./layers/conv2d.ts";
import type { RecordAt } from "./layers/_layer_kind.ts";

/** What batch normalisation by running statistics is: x times scale plus shift. */
interface Affine {
  scale: Float32Array;
  shift: Float32Array;
}

/** Where {@linkcode FrozenLayers} takes values from and puts them. */
interface Surroundings {
  device: Device;
  /** Owns the tensors that are made. */
  stack: DisposableStack;
  /** The network's tensor of that name. */
  tensor: (name: string) => Tensor;
}

/**
 * Layers of a training program that stay as they are: they compute as where
 * nothing is trained. Batch normalisation uses its running statistics, and
 * keeps them, and nothing is dropped. Its scale and shift are worked into the
 * convolution before it, if that is frozen too: they are constants here.
 */
export class FrozenLayers {
  readonly #graph: ModelGraph;
  readonly #at: Surroundings;
  /** Convolutions, and the batch normalisation that each takes over. */
  readonly #folded: ReadonlyMap<number, number>;
  readonly #frozen: (node: GraphNode) => boolean;

  /** @param freeze What stays: names of layers and groups of them. */
  constructor(
    graph: ModelGraph,
    freeze: readonly string[],
    at: Surroundings,
  ) {
    this.#graph = graph;
    this.#at = at;
    this.#frozen = ({ name }) =>
      freeze.some((prefix) => isWithin(name, prefix));
    this.#folded = this.#pairs();
  }

  /**
   * Records a node of the graph.
   *
   * @returns Undefined where it is recorded as any other.
   */
  record(
    number: number,
    { program, inputs }: Pick<RecordAt, "program" | "inputs">,
  ): Tensor | undefined {
    const node = this.#graph.nodes[number]!;
    if (!this.#frozen(node)) return undefined;
    const { name, layer } = node;
    if (layer.kind === "dropout" || layer.kind === "stochasticDepth") {
      return inputs[0];
    }
    if (layer.kind === "conv2d") {
      const norm = this.#folded.get(number);
      if (norm === undefined) return undefined;
      const { weight, bias } = this.#foldedConv(node, layer, norm);
      return conv2dKind.record({ ...layer, bias: true }, {
        program,
        inputs,
        parameter: (own) => own === "weight" ? weight : bias,
      });
    }
    if (layer.kind !== "batchNorm2d") return undefined;
    if ([...this.#folded.values()].includes(number)) return inputs[0];
    const { scale, shift } = this.#affine(name, layer);
    const { channels } = layer;
    const each = conv2d(channels, channels, {
      kernelSize: 1,
      groups: channels,
    });
    const weight = this.#constant([channels, 1, 1, 1], scale);
    const bias = this.#constant([channels], shift);
    return conv2dKind.record(each, {
      program,
      inputs,
      parameter: (own) => own === "weight" ? weight : bias,
    });
  }

  /** Frozen convolutions that nothing but a frozen batch normalisation reads. */
  #pairs(): Map<number, number> {
    const { nodes, output } = this.#graph;
    const readers = new Map<number, number[]>();
    for (const [i, { inputs }] of nodes.entries()) {
      for (const input of inputs) {
        readers.set(input, [...readers.get(input) ?? [], i]);
      }
    }
    const pairs = new Map<number, number>();
    for (const [i, node] of nodes.entries()) {
      const [reader, ...others] = readers.get(i) ?? [];
      if (
        node.layer.kind !== "conv2d" || reader === undefined ||
        others.length > 0 || i === output || !this.#frozen(node)
      ) continue;
      const next = nodes[reader]!;
      if (next.layer.kind !== "batchNorm2d" || !this.#frozen(next)) continue;
      pairs.set(i, reader);
    }
    return pairs;
  }

  #foldedConv(
    { name }: GraphNode,
    layer: Conv2d,
    norm: number,
  ): { weight: Tensor; bias: Tensor } {
    const after = this.#graph.nodes[norm]!;
    const { scale, shift } = this.#affine(
      after.name,
      after.layer as BatchNorm2d,
    );
    const source = this.#at.tensor(join(name, "weight"));
    const weight = source.read();
    const each = elementCount(source.shape) / layer.outputChannels;
    for (let i = 0; i < weight.length; i++) {
      weight[i] = weight[i]! * scale[Math.floor(i / each)]!;
    }
    const bias = layer.bias
      ? this.#at.tensor(join(name, "bias")).read()
      : new Float32Array(layer.outputChannels);
    bias.forEach((value, i) => bias[i] = value * scale[i]! + shift[i]!);
    return {
      weight: this.#constant(source.shape, weight),
      bias: this.#constant([layer.outputChannels], bias),
    };
  }

  #affine(name: string, { epsilon }: BatchNorm2d): Affine {
    const [weight, bias, mean, variance] = [
      ...["weight", "bias", "running_mean", "running_var"],
    ].map((own) => this.#at.tensor(join(name, own)).read()) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const scale = weight.map((value, i) =>
      value / Math.sqrt(variance[i]! + epsilon)
    );
    const shift = bias.map((value, i) => value - mean[i]! * scale[i]!);
    return { scale, shift };
  }

  #constant(shape: readonly number[], data: Float32Array): Tensor {
    const { stack, device } = this.#at;
    return stack.use(device.tensor(shape, { data }));
  }
}
