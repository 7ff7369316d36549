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
import type { OnnxAttribute, OnnxFile, OnnxNode } from "./parse_onnx.ts";
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
export class GraphReader {
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

  /** The operator that is read now. */
  current!: OnnxNode;

  constructor(
    file: OnnxFile,
    weights: ReadonlyMap<string, StoredTensor>,
    image: { name: string; value: Computed },
  ) {
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

  /** An attribute that is a number. */
  number(name: string, fallback: number): number {
    const value = this.#attribute(name);
    if (value === undefined) return fallback;
    if (typeof value === "number") return value;
    throw new Unreadable(`its attribute ${name} is no number`);
  }

  /** An attribute that is a text. */
  text(name: string, fallback: string): string {
    const value = this.#attribute(name);
    if (value === undefined) return fallback;
    if (typeof value === "string") return value;
    throw new Unreadable(`its attribute ${name} is no text`);
  }

  /** An attribute that is a list; undefined if it is left out. */
  numbers(name: string): readonly number[] | undefined {
    const value = this.#attribute(name);
    if (value === undefined || Array.isArray(value)) {
      return value as readonly number[] | undefined;
    }
    throw new Unreadable(`its attribute ${name} is no list of numbers`);
  }

  /** An attribute that is a tensor; undefined if it is left out. */
  tensor(name: string): StoredTensor | undefined {
    const value = this.#attribute(name);
    if (value === undefined) return undefined;
    if (typeof value === "object" && "dtype" in value) return value;
    throw new Unreadable(`its attribute ${name} is no tensor`);
  }

  /** An attribute's presence alone. */
  hasAttribute(name: string): boolean {
    return this.#attribute(name) !== undefined;
  }

  #attribute(name: string): OnnxAttribute | undefined {
    return this.current.attributes.get(name);
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
    if (name) this.#values.set(name, value);
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
    return { constant: false, node: this.nodes.length - 1, shape };
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
    const { pending, ...plain } = value;
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
          "what stands in front of it is only known as part of a hard swish, " +
            "a channel shuffle or a change of layout",
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
