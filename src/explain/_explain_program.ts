import { placeWeights } from "../cam/prove_place.ts";
import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { GapcamError } from "../error.ts";
import { assertBatchSize, BatchPadder } from "../nn/_batch_padder.ts";
import type { ImageOptions, Network } from "../nn/network.ts";
import {
  preparedSize,
  record,
  recordNodes,
  shapedNodes,
} from "../nn/record.ts";
import {
  type DeviceMap,
  type DeviceMapKind,
  recordDeviceMap,
} from "./_device_map.ts";

/** What a program is to give beside logits. */
export interface ExplainProgramOptions extends ImageOptions {
  /** u8 images, or what is made of them: f32 NCHW, normalised. */
  readonly source: "pixels" | "floats";
  /** Numbers of the nodes whose values are wanted; -1 is the normalised image. */
  readonly layers: readonly number[];
  /** What the device makes of those layers' gradients. Default: nothing. */
  readonly gradients?: DeviceMapKind;
  /** Whether the layers' values are read. Default: true. */
  readonly features?: boolean;
}

/** What a program keeps of a layer. */
interface Kept {
  value: Tensor;
  sums: Tensor | undefined;
  made: DeviceMap | undefined;
  values: Float32Array | undefined;
  gradients: Float32Array | undefined;
}

/** Values of one image and what the device makes of their places. */
export interface LayerValues {
  readonly shape: readonly [number, number, number];
  /** A view, valid until the next batch. */
  readonly data: Float32Array;
}

/**
 * A program from images to logits, with the values and gradients of layers in
 * the middle. The forward run comes first; what is differentiated may depend on
 * its logits.
 */
export class ExplainProgram implements Disposable {
  readonly #program: Program;
  readonly #input: Tensor;
  readonly #logits: Tensor;
  readonly #seed: Tensor | undefined;
  readonly #kept: readonly Kept[];
  readonly #padder: BatchPadder | undefined;
  readonly #stack: DisposableStack;
  /** Images a run, at most. */
  readonly batchSize: number;
  /** Numbers that the network gives. */
  readonly outputs: number;

  private constructor(parts: {
    program: Program;
    input: Tensor;
    logits: Tensor;
    seed: Tensor | undefined;
    kept: readonly Kept[];
    stack: DisposableStack;
  }) {
    this.#program = parts.program;
    this.#input = parts.input;
    this.#logits = parts.logits;
    this.#seed = parts.seed;
    this.#kept = parts.kept;
    this.#stack = parts.stack;
    this.#padder = parts.input.type === "u8"
      ? new BatchPadder(parts.input.shape)
      : undefined;
    this.batchSize = parts.logits.shape[0]!;
    this.outputs = parts.logits.shape[1]!;
  }

  /**
   * Compiles a network.
   *
   * @throws {GapcamError} If the images do not fit the model, no output depends
   * on a layer whose gradient is wanted, or memory runs out.
   */
  static async compile(
    network: Network,
    options: ExplainProgramOptions,
  ): Promise<ExplainProgram> {
    const { batchSize, image, source, layers } = options;
    assertBatchSize(batchSize);
    const { device } = network;
    using stack = new DisposableStack();
    const { height, width } = preparedSize(options);
    shapedNodes(network, options);
    const input = stack.use(
      source === "pixels"
        ? device.tensor(
          [batchSize, image.height, image.width, image.channels],
          {
            type: "u8",
            staged: true,
          },
        )
        : device.tensor([batchSize, image.channels, height, width], {
          type: "f32",
          staged: true,
        }),
    );
    const program = stack.use(device.program());
    const { graph } = network;
    const recorded = source === "pixels"
      ? record(network, program, input, options)
      : undefined;
    const outputs = recorded?.outputs ??
      recordNodes(network, program, { input });
    const logits = program.output(outputs[graph.output]!);
    const values = layers.map((node) =>
      node < 0 ? recorded?.prepared ?? input : outputs[node]!
    );
    const kept = values.map((value) => {
      const [, , rows, columns] = value.shape as [
        number,
        number,
        number,
        number,
      ];
      const reads = options.features ?? true;
      const sums = reads
        ? program.output(program.spatialSum(
          value,
          stack.use(device.tensor([rows, columns], {
            data: placeWeights(rows, columns),
          })),
        ))
        : undefined;
      // What the host wrote itself it need not read.
      const readable = reads && value !== input;
      if (readable) program.output(value);
      return { value, sums, readable };
    });
    const kind = options.gradients;
    const seed = kind &&
      stack.use(device.tensor(logits.shape, { type: "f32", staged: true }));
    // One layer may be asked for by two names.
    const distinct = [...new Set(values)];
    const gradients = kind &&
      program.backward(logits, distinct, { outputGradient: seed! });
    const made = kind &&
      values.map((value) =>
        recordDeviceMap(value, gradients![distinct.indexOf(value)]!, {
          kind,
          at: { device, program, stack },
        })
      );
    await program.compile();
    return new ExplainProgram({
      program,
      input,
      logits,
      seed,
      kept: kept.map(({ value, sums, readable }, i) => ({
        ...{ value, sums, made: made?.[i] },
        values: readable ? new Float32Array(value.length) : undefined,
        gradients: made && new Float32Array(made[i]!.wanted.length),
      })),
      stack: stack.move(),
    });
  }

  /**
   * Computes logits and values.
   *
   * @param input 1 to `batchSize` images of u8, or a whole batch of floats.
   * @returns [images, outputs], row by row.
   */
  async forward(input: Uint8Array | Float32Array): Promise<Float32Array> {
    const count = input instanceof Uint8Array
      ? this.#padder!.count(input)
      : this.batchSize;
    this.#program.assertIdle("run");
    this.#input.write(
      input instanceof Uint8Array ? this.#padder!.images(input) : input,
    );
    await this.#program.run("forward");
    return this.#logits.read().subarray(0, count * this.outputs);
  }

  /**
   * Computes gradients of a weighted sum of each image's outputs.
   *
   * @param seeds The weights, [images, outputs]; those left out are 0.
   */
  async backward(seeds: Float32Array): Promise<void> {
    if (!this.#seed) {
      throw new GapcamError(
        "unsupported",
        "Cannot compute gradients: the program was compiled without them",
      );
    }
    const all = new Float32Array(this.#seed.length);
    all.set(seeds);
    this.#seed.write(all);
    await this.#program.run("backward");
    for (const { made, gradients } of this.#kept) made!.wanted.read(gradients);
  }

  /** Reads the values of a layer after a forward run. */
  readValues(layer: number): void {
    const { value, values } = this.#kept[layer]!;
    value.read(values);
  }

  /** One image's values of a layer, as {@linkcode readValues} read them. */
  values(layer: number, image: number): LayerValues {
    const { value, values } = this.#kept[layer]!;
    return viewOf(value.shape, values!, image);
  }

  /** The device's sums of a layer's values over places, for all images: [N, K]. */
  valueSums(layer: number): Float32Array {
    return this.#kept[layer]!.sums!.read();
  }

  /** What the last backward run gave of one image's layer. */
  gradients(layer: number, image: number): LayerValues {
    const { made, gradients } = this.#kept[layer]!;
    return viewOf(made!.wanted.shape, gradients!, image);
  }

  /** The device's sums of that over channels and places, for all images. */
  gradientSums(layer: number): Float32Array {
    return this.#kept[layer]!.made!.witness.read();
  }

  /** Bytes and steps. */
  describe(): ReturnType<Program["describe"]> {
    return this.#program.describe();
  }

  /** Frees the program and what it reads. */
  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

function viewOf(
  [, channels, height, width]: readonly number[],
  data: Float32Array,
  image: number,
): LayerValues {
  const size = channels! * height! * width!;
  return {
    shape: [channels!, height!, width!],
    data: data.subarray(image * size, (image + 1) * size),
  };
}
