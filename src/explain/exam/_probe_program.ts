import type { Program } from "../../device/program.ts";
import type { Tensor } from "../../device/tensor.ts";
import { elementCount } from "../../host_tensor.ts";
import type { ImageOptions, Network } from "../../nn/network.ts";
import { record, recordNodes } from "../../nn/record.ts";
import { classProbabilities } from "../target.ts";
import type { Probe } from "./probe.ts";

/**
 * A network twice: from images to what its first layer reads, and from there to
 * logits, so that what it reads can be changed in between.
 */
export class ProbeProgram implements Disposable {
  readonly #first: Program;
  readonly #images: Tensor;
  readonly #prepared: Tensor;
  readonly #imageLogits: Tensor;
  readonly #second: Program;
  readonly #inputs: Tensor;
  readonly #logits: Tensor;
  /** One batch is filled while the other is computed. */
  readonly #buffers: readonly [Float32Array, Float32Array];
  readonly #batchSize: number;
  /** Numbers that the network gives an image. */
  readonly outputs: number;
  /** Of what the first layer reads: [channels, height, width]. */
  readonly shape: readonly [number, number, number];

  private constructor(parts: {
    first: Program;
    images: Tensor;
    prepared: Tensor;
    imageLogits: Tensor;
    second: Program;
    inputs: Tensor;
    logits: Tensor;
  }) {
    this.#first = parts.first;
    this.#images = parts.images;
    this.#prepared = parts.prepared;
    this.#imageLogits = parts.imageLogits;
    this.#second = parts.second;
    this.#inputs = parts.inputs;
    this.#logits = parts.logits;
    const length = elementCount(parts.inputs.shape);
    this.#buffers = [new Float32Array(length), new Float32Array(length)];
    const [batchSize, ...shape] = parts.inputs.shape;
    this.#batchSize = batchSize!;
    this.shape = shape as [number, number, number];
    this.outputs = parts.logits.shape[1]!;
  }

  /**
   * Compiles a network.
   *
   * @throws {GapcamError} If the images do not fit the model, or memory runs out.
   */
  static async compile(
    network: Network,
    options: ImageOptions,
  ): Promise<ProbeProgram> {
    const { device } = network;
    const { batchSize } = options;
    const { height, width, channels } = options.image;
    using stack = new DisposableStack();
    const images = stack.use(
      device.tensor([batchSize, height, width, channels], {
        type: "u8",
        staged: true,
      }),
    );
    const first = stack.use(device.program());
    const { prepared, logits: imageLogits } = record(
      network,
      first,
      images,
      options,
    );
    first.output(prepared);
    first.output(imageLogits);
    await first.compile();
    const inputs = stack.use(device.tensor(prepared.shape, { staged: true }));
    const second = stack.use(device.program());
    const logits = recordNodes(network, second, { input: inputs })[
      network.graph.output
    ]!;
    second.output(logits);
    await second.compile();
    stack.move();
    return new ProbeProgram({
      first,
      images,
      prepared,
      imageLogits,
      second,
      inputs,
      logits,
    });
  }

  /**
   * What a network's first layer reads of images, and the network's answers.
   *
   * @param images As u8 NHWC, `batchSize` at most; what is missing is black.
   */
  async prepare(
    images: Uint8Array,
  ): Promise<{ inputs: Float32Array; logits: Float32Array }> {
    const full = new Uint8Array(elementCount(this.#images.shape));
    full.set(images);
    this.#images.write(full);
    await this.#first.run("forward");
    return {
      inputs: this.#prepared.read(),
      logits: this.#imageLogits.read(),
    };
  }

  /** The probability of each probe's class, in full batches. */
  async scores(
    probes: readonly Probe[],
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<Float64Array> {
    const scores = new Float64Array(probes.length);
    const size = elementCount(this.shape);
    const run = async (start: number, buffer: Float32Array) => {
      this.#inputs.write(buffer);
      await this.#second.run("forward");
      const all = this.#logits.read();
      const end = Math.min(probes.length, start + this.#batchSize);
      for (let i = start; i < end; i++) {
        const at = (i - start) * this.outputs;
        const row = all.subarray(at, at + this.outputs);
        scores[i] = classProbabilities(row)[probes[i]!.classIndex]!;
      }
    };
    let pending = Promise.resolve();
    let turn = 0;
    try {
      for (let start = 0; start < probes.length; start += this.#batchSize) {
        options.signal?.throwIfAborted();
        const buffer = this.#buffers[turn++ % 2]!;
        const some = probes.slice(start, start + this.#batchSize);
        some.forEach((probe, i) =>
          probe.write(buffer.subarray(i * size, (i + 1) * size))
        );
        await pending;
        pending = run(start, buffer);
      }
    } finally {
      // Nothing may be freed while it runs.
      await pending;
    }
    return scores;
  }

  /** Frees the programs; the network stays. */
  [Symbol.dispose](): void {
    this.#first[Symbol.dispose]();
    this.#second[Symbol.dispose]();
    this.#images[Symbol.dispose]();
    this.#inputs[Symbol.dispose]();
  }
}
