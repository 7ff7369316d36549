import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { elementCount } from "../host_tensor.ts";
import type { Network } from "../nn/network.ts";
import { neededNodes, recordNodes } from "../nn/record.ts";
import type { LayerValues } from "./_explain_program.ts";

/**
 * Nodes beside one whose values the layers behind it read: where a cut through
 * the network at that node passes.
 */
export function cutAt({ graph }: Network, node: number): number[] {
  const behind = new Set<number>();
  graph.nodes.forEach(({ inputs }, i) => {
    if (inputs.some((input) => input === node || behind.has(input))) {
      behind.add(i);
    }
  });
  const needed = neededNodes(graph, new Set<number>());
  const beside = new Set<number>();
  for (const i of behind) {
    if (!needed.has(i)) continue;
    for (const input of graph.nodes[i]!.inputs) {
      if (input !== node && !behind.has(input)) beside.add(input);
    }
  }
  return [...beside];
}

/**
 * The part of a network behind a layer, on a batch of copies of one image's
 * values there, each with its own factors of the layer's channels.
 */
export class TailProgram implements Disposable {
  readonly #program: Program;
  readonly #values: ReadonlyMap<number, Tensor>;
  readonly #gates: Tensor;
  readonly #logits: Tensor;
  readonly #stack: DisposableStack;
  /** Copies a run. */
  readonly batchSize: number;

  private constructor(parts: {
    program: Program;
    values: ReadonlyMap<number, Tensor>;
    gates: Tensor;
    logits: Tensor;
    stack: DisposableStack;
  }) {
    this.#program = parts.program;
    this.#values = parts.values;
    this.#gates = parts.gates;
    this.#logits = parts.logits;
    this.#stack = parts.stack;
    this.batchSize = parts.gates.shape[0]!;
  }

  /**
   * Compiles it.
   *
   * @param shapes The shape of the layer's values and of those of `cutAt`, by
   * their nodes: [channels, height, width], or [features].
   */
  static async compile(
    network: Network,
    { node, shapes, batchSize }: {
      node: number;
      shapes: ReadonlyMap<number, readonly number[]>;
      batchSize: number;
    },
  ): Promise<TailProgram> {
    const { device } = network;
    using stack = new DisposableStack();
    const program = stack.use(device.program());
    const values = new Map(
      [...shapes].map(([number, shape]) => [
        number,
        stack.use(device.tensor([batchSize, ...shape])),
      ]),
    );
    const [channels] = shapes.get(node)!;
    const gates = stack.use(
      device.tensor([batchSize, channels!, 1, 1], {
        type: "f32",
        staged: true,
      }),
    );
    const given = new Map(values);
    given.set(node, program.multiply(values.get(node)!, gates));
    const logits = program.output(
      recordNodes(network, program, {
        // Only where it is given: every other value is behind the cut.
        input: given.get(-1) ?? values.get(node)!,
        given,
      })[network.graph.output]!,
    );
    await program.compile();
    return new TailProgram({
      ...{ program, values, gates, logits },
      stack: stack.move(),
    });
  }

  /** Gives every copy an image's values. */
  setImage(valuesOf: (node: number) => LayerValues): void {
    for (const [node, tensor] of this.#values) {
      const { data } = valuesOf(node);
      const all = new Float32Array(elementCount(tensor.shape));
      for (let i = 0; i < this.batchSize; i++) all.set(data, i * data.length);
      tensor.write(all);
    }
  }

  /**
   * Computes the logits of every copy.
   *
   * @param gates The channels' factors, [batchSize, channels].
   */
  async run(gates: Float32Array): Promise<Float32Array> {
    this.#gates.write(gates);
    await this.#program.run("forward");
    return this.#logits.read();
  }

  /** Frees it. */
  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
