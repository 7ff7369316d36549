import { GapcamError } from "../error.ts";
import type { Program } from "../device/program.ts";
import type { ProgramStep } from "../device/program_options.ts";
import type { Tensor } from "../device/tensor.ts";
import { assertBatchSize, BatchPadder } from "./_batch_padder.ts";
import { lastMapOf } from "./classifier_of.ts";
import type { ImageOptions, Network } from "./network.ts";
import { record } from "./record.ts";

/** Options of {@linkcode InferenceProgram.compile}. */
export interface InferenceOptions extends ImageOptions {
  /** Whether each step is timed. Default: false. */
  profile?: boolean;
  /**
   * Weights of the places of the feature map, [height, width] row by row, by
   * which the device sums each channel; not summed if left out.
   */
  placeWeights?: (height: number, width: number) => Float32Array;
}

/**
 * A compiled program from u8 images to logits and the feature map before
 * global average pooling.
 *
 * @example Logits and features of one image
 * ```ts
 * import { InferenceProgram, Network, openDevice, vgg } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4, "M", 8], { classes: 3 }));
 * using inference = await InferenceProgram.compile(network, {
 *   batchSize: 1,
 *   image: { height: 8, width: 8, channels: 3 },
 * });
 * const logits = await inference.run(new Uint8Array(8 * 8 * 3));
 * if (logits.length !== 3) throw new Error();
 * if (inference.features().length !== 8 * 4 * 4) throw new Error();
 * ```
 */
export class InferenceProgram implements Disposable {
  readonly #program: Program;
  readonly #images: Tensor;
  readonly #logits: Tensor;
  readonly #features: Tensor | undefined;
  readonly #placeWeights: Tensor | undefined;
  readonly #placeSums: Tensor | undefined;
  readonly #padder: BatchPadder;
  #count = 0;
  /** Images a run, at most. */
  readonly batchSize: number;
  /** Number of classes. */
  readonly classes: number;

  private constructor(parts: {
    program: Program;
    images: Tensor;
    logits: Tensor;
    features: Tensor | undefined;
    placeWeights: Tensor | undefined;
    placeSums: Tensor | undefined;
  }) {
    this.#program = parts.program;
    this.#images = parts.images;
    this.#logits = parts.logits;
    this.#features = parts.features;
    this.#placeWeights = parts.placeWeights;
    this.#placeSums = parts.placeSums;
    this.#padder = new BatchPadder(parts.images.shape);
    this.batchSize = parts.logits.shape[0]!;
    this.classes = parts.logits.shape[1]!;
  }

  /**
   * Compiles a network for images of one size.
   *
   * @param network What to run.
   * @param options Batch and images.
   * @returns A program, which the caller disposes of.
   * @throws {GapcamError} If the images do not fit the model, or memory runs out.
   */
  static async compile(
    network: Network,
    options: InferenceOptions,
  ): Promise<InferenceProgram> {
    assertBatchSize(options.batchSize);
    const { height, width, channels } = options.image;
    using stack = new DisposableStack();
    const images = stack.use(
      network.device.tensor([options.batchSize, height, width, channels], {
        type: "u8",
        staged: true,
      }),
    );
    const program = stack.use(
      network.device.program({ profile: options.profile ?? false }),
    );
    const { prepared, outputs, logits } = record(
      network,
      program,
      images,
      options,
    );
    const map = lastMapOf(network.graph);
    const features = map === undefined ? undefined : outputs[map] ?? prepared;
    program.output(logits);
    if (features) program.output(features);
    let placeWeights: Tensor | undefined;
    let placeSums: Tensor | undefined;
    if (features && options.placeWeights) {
      const [, , rows, columns] = features.shape as [
        number,
        number,
        number,
        number,
      ];
      placeWeights = stack.use(network.device.tensor([rows, columns], {
        data: options.placeWeights(rows, columns),
      }));
      placeSums = program.spatialSum(features, placeWeights);
      program.output(placeSums);
    }
    await program.compile();
    stack.move();
    return new InferenceProgram({
      program,
      images,
      logits,
      features,
      placeWeights,
      placeSums,
    });
  }

  /** Shape of the feature map, [batchSize, K, height, width]; undefined without global average pooling. */
  get featureShape(): readonly number[] | undefined {
    return this.#features?.shape;
  }

  /**
   * Computes logits.
   *
   * @param images 1 to `batchSize` images as u8 NHWC.
   * @returns [images, classes], row-major.
   * @throws {GapcamError} If the number of bytes does not fit, or the run
   * before is not awaited yet (`busy`).
   */
  async run(images: Uint8Array): Promise<Float32Array> {
    const count = this.#padder.count(images);
    this.#program.assertIdle("run");
    this.#images.write(this.#padder.images(images));
    await this.#program.run("forward");
    this.#count = count;
    return this.#logits.read().subarray(0, count * this.classes);
  }

  /**
   * The feature map of the last run: what global average pooling takes.
   *
   * @param target Where to put that of a full batch, `batchSize` images; a new
   * array if left out.
   * @returns [images, K, height, width], row-major; a view of `target`.
   * @throws {GapcamError} If the model has no global average pooling, or
   * `target` is of another length.
   */
  features(target?: Float32Array): Float32Array {
    if (this.#features) {
      const features = this.#features.read(target);
      const image = features.length / this.batchSize;
      return features.subarray(0, this.#count * image);
    }
    throw new GapcamError(
      "unsupported",
      "Cannot read the feature map: the model has no global average pooling",
    );
  }

  /**
   * The channels of the feature map of the last run, each summed over its places
   * with their weights: computed by the device, from the features as it holds
   * them.
   *
   * @returns [images, K], row-major.
   * @throws {GapcamError} If the program was compiled without place weights.
   */
  placeSums(): Float32Array {
    if (this.#placeSums) {
      const channels = this.#placeSums.shape[1]!;
      return this.#placeSums.read().subarray(0, this.#count * channels);
    }
    throw new GapcamError(
      "unsupported",
      "Cannot read sums over places: the program was compiled without " +
        "weights for them",
    );
  }

  /** The compiled program's bytes and steps. */
  describe(): { bytes: number; steps: ProgramStep[] } {
    return this.#program.describe();
  }

  /** Frees the program and its images. */
  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
    this.#images[Symbol.dispose]();
    this.#placeWeights?.[Symbol.dispose]();
  }
}
