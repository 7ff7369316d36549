import type { GraphNode, ModelGraph } from "../nn/graph_of.ts";
import { conv2d } from "../nn/layers/conv2d.ts";
import { kindOf, type NodeLayer } from "../nn/layers/_kinds.ts";
import { Misfit, type Shape } from "../nn/layers/_layer_kind.ts";
import { quote } from "../weights/_quote.ts";
import type { HostTensor, StateDict } from "../host_tensor.ts";
import { type StoredTensor, toHostTensor } from "../weights/stored_tensor.ts";
import { moduleOf } from "./_module_name.ts";
import { stored } from "./_stored_constant.ts";
import { Unreadable } from "./_unreadable.ts";
import { first, isElementwise, moved } from "./_layout.ts";
import { NodeReader } from "./_node_reader.ts";
import type { OnnxFile, OnnxNode } from "./parse_onnx.ts";
import {
  type Computed,
  type Constant,
  type Pending,
  type Value,
} from "./_values.ts";

/**
 * A network under construction while a file's operators are read one after the
 * other: what each of their values is, and the nodes that compute them.
 */
export class GraphReader extends NodeReader {
  /** The nodes so far. */
  readonly nodes: GraphNode[] = [];
  /** Their parameters. */
  readonly state: StateDict = new Map();
  /** What was assumed or left out, in sentences. */
  readonly notes: string[] = [];
  readonly #values = new Map<string, Value | undefined>();
  readonly #uses = new Map<string, number>();
  readonly #names = new Set<string>();
  readonly #outputs: ReadonlySet<string>;

  /** What each node makes, by its number; -1 is the image. */
  readonly #shapes = new Map<number, Shape>();
  /** Whether the operator works on each value by itself, of maps with channels last. */
  #last = false;

  constructor(
    file: OnnxFile,
    weights: ReadonlyMap<string, StoredTensor>,
    image: { name: string; value: Computed },
  ) {
    super();
    for (const { inputs } of file.nodes) {
      for (const name of inputs) {
        this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
      }
    }
    this.#outputs = new Set(file.outputs.map(({ name }) => name));
    for (const [name, tensor] of weights) {
      this.#values.set(name, stored(tensor, name));
    }
    this.#values.set(image.name, image.value);
    this.#shapes.set(-1, image.value.shape);
  }

  /** Begins to read an operator. */
  override begin(node: OnnxNode): void {
    super.begin(node);
    const read = node.inputs.map((name) => this.#values.get(name))
      .filter((value) => value?.constant === false);
    this.#last = isElementwise(node.operator) && read.length > 0 &&
      read.every(({ last }) => last);
  }

  /** Whether the operator before could not be read, so that this one cannot either. */
  get isCutOff(): boolean {
    return this.current.inputs.some((name) =>
      this.#values.has(name) && this.#values.get(name) === undefined
    );
  }

  /** Any of the operator's inputs. */
  value(position: number): Value {
    const name = this.current.inputs[position] ?? "";
    const value = this.#values.get(name);
    // Such an operator is read as if the channels stood first.
    if (value && this.#last) {
      return value.constant ? moved(value) : first(value);
    }
    if (value) return value;
    throw new Unreadable(
      name === ""
        ? `its input ${position} is missing`
        : `it reads ${quote(name)}, which nothing before it makes`,
    );
  }

  /** Whether an input is there; optional ones may be left out. */
  has(position: number): boolean {
    return (this.current.inputs[position] ?? "") !== "";
  }

  /** An input that the network computes, with what is pending made a layer. */
  map(position: number): Computed {
    return this.settled(this.computed(position));
  }

  /** An input that the network computes, whatever is pending. */
  computed(position: number): Computed {
    const value = this.value(position);
    if (!value.constant) return value;
    throw new Unreadable(`its input ${position} is a constant`);
  }

  /** An input that is known. */
  constant(position: number): Constant {
    const value = this.value(position);
    if (value.constant) return value;
    throw new Unreadable(`its input ${position} is not a constant`);
  }

  /** An input that is known, as 32-bit floats. */
  weight(position: number): HostTensor {
    const { tensor, shape, numbers } = this.constant(position);
    return tensor
      ? toHostTensor(tensor, quote(this.current.inputs[position]!))
      : { shape, data: Float32Array.from(numbers()) };
  }

  /** Whether nothing but the operator that is read now uses this input. */
  isOnlyUse(position: number): boolean {
    const name = this.current.inputs[position]!;
    return this.#uses.get(name) === 1 && !this.#outputs.has(name);
  }

  /** Whether the operator gives one of the file's outputs. */
  get isLast(): boolean {
    return this.current.outputs.some((name) => this.#outputs.has(name));
  }

  /** Says what one of the operator's outputs is. */
  give(value: Value, position = 0): void {
    const name = this.current.outputs[position];
    const last = this.#last && !value.constant;
    if (name) this.#values.set(name, last ? { ...value, last } : value);
  }

  /** Notes that the operator's outputs are not known. */
  giveUp(): void {
    for (const name of this.current.outputs) {
      this.#values.set(name, undefined);
    }
  }

  /** What a value of the file is; undefined if it is not known. */
  valueNamed(name: string): Value | undefined {
    return this.#values.get(name);
  }

  /** A value with something pending on it. */
  pend(value: Computed, pending: Pending): Computed {
    return { ...value, pending };
  }

  /** A node that does what a layer does; its parameters are named after `like`. */
  append(
    layer: NodeLayer,
    inputs: readonly Computed[],
    parameters: Readonly<Record<string, HostTensor>> = {},
  ): Computed {
    const shapes = inputs.map(({ shape }) => shape);
    const name = this.#nameOf(layer);
    let shape: Shape;
    try {
      shape = kindOf(layer).outputShape(layer, shapes as [Shape, ...Shape[]]);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      const found = shapes.map((one) => `[${one.join(", ")}]`).join(" and ");
      throw new Unreadable(
        error.needed
          ? `it takes ${error.needed}, found ${found}`
          : `its window does not fit ${found}`,
      );
    }
    for (
      const { name: own, shape } of kindOf(layer).parameters?.(layer) ?? []
    ) {
      const tensor = parameters[own];
      if (tensor?.shape.join() === shape.join()) {
        this.state.set(`${name}.${own}`, tensor);
        continue;
      }
      throw new Unreadable(
        `its ${own} is [${tensor?.shape.join(", ") ?? ""}], expected ` +
          `[${shape.join(", ")}]`,
      );
    }
    this.nodes.push({ name, layer, inputs: inputs.map(({ node }) => node) });
    const node = this.nodes.length - 1;
    this.#shapes.set(node, shape);
    return { constant: false, node, shape };
  }

  /** What the node of a value reads first; undefined for the image. */
  inputOf({ node }: Computed): Computed | undefined {
    const [input] = this.nodes[node]?.inputs ?? [];
    return input === undefined
      ? undefined
      : { constant: false, node: input, shape: this.#shapes.get(input)! };
  }

  /** The layer of a node; undefined for the image. */
  layerOf({ node }: Computed): NodeLayer | undefined {
    return this.nodes[node]?.layer;
  }

  /** Puts another layer in a node's place, which makes the same shape. */
  replace({ node }: Computed, layer: NodeLayer): void {
    this.nodes[node] = { ...this.nodes[node]!, layer };
  }

  /** A value with what is pending on it made a layer. */
  settled(value: Computed): Computed {
    const { pending, last, ...plain } = value;
    if (last) throw new Unreadable("the channels of what it reads stand last");
    switch (pending?.kind) {
      case undefined:
        return plain;
      case "affine":
        return this.perChannel(plain, {
          scale: [pending.scale],
          shift: [pending.shift],
        });
      case "padded":
        throw new Unreadable("padding stands in front of it");
      default:
        throw new Unreadable(
          "what stands in front of it is only known as part of a hard swish " +
            "or a channel shuffle",
        );
    }
  }

  /** `scale * x + shift` channel by channel, as a convolution that sees one pixel of one channel. */
  perChannel(
    value: Computed,
    { scale, shift }: { scale: readonly number[]; shift: readonly number[] },
  ): Computed {
    const [channels] = value.shape;
    if (value.shape.length !== 3) {
      throw new Unreadable("it scales what is no map");
    }
    const spread = (numbers: readonly number[]) =>
      Float32Array.from(
        { length: channels! },
        (_, i) => numbers[i % numbers.length]!,
      );
    return this.append(
      conv2d(channels!, channels!, { kernelSize: 1, groups: channels! }),
      [value],
      {
        weight: { shape: [channels!, 1, 1, 1], data: spread(scale) },
        bias: { shape: [channels!], data: spread(shift) },
      },
    );
  }

  /** The graph that was read, of which `output` is the result. */
  graph(output: Computed): ModelGraph {
    return { nodes: this.nodes, output: output.node };
  }

  /** The name of the module that the operator came from, as far as the file tells. */
  #nameOf(layer: NodeLayer): string {
    const owned = kindOf(layer).parameters?.(layer) ?? [];
    const weight = owned.length > 0
      ? this.current.inputs.find((name) => /^[\w.]+\.weight$/.test(name))
      : undefined;
    const base = weight?.replace(/\.weight$/, "") ??
      (moduleOf(this.current.name) || layer.kind);
    let name = base;
    for (let i = 2; this.#names.has(name); i++) name = `${base}_${i}`;
    this.#names.add(name);
    return name;
  }
}
