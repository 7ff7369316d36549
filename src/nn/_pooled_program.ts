import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { BatchPadder } from "./_batch_padder.ts";
import { classifierOf } from "./classifier_of.ts";
import type { ImageOptions, Network } from "./network.ts";
import { record } from "./record.ts";

/**
 * A compiled program from u8 images to what global average pooling makes of
 * them: the features that a linear layer decides by.
 */
export class PooledProgram implements Disposable {
  readonly #program: Program;
  readonly #images: Tensor;
  readonly #pooled: Tensor;
  readonly #padder: BatchPadder;

  private constructor(program: Program, images: Tensor, pooled: Tensor) {
    this.#program = program;
    this.#images = images;
    this.#pooled = pooled;
    this.#padder = new BatchPadder(images.shape);
  }

  /**
   * Compiles a network that ends in global average pooling and a linear layer.
   *
   * @throws {GapcamError} If the images do not fit it, or memory runs out.
   */
  static async compile(
    network: Network,
    options: ImageOptions,
  ): Promise<PooledProgram> {
    const { height, width, channels } = options.image;
    using stack = new DisposableStack();
    const images = stack.use(
      network.device.tensor([options.batchSize, height, width, channels], {
        type: "u8",
        staged: true,
      }),
    );
    const program = stack.use(network.device.program({}));
    const { outputs } = record(network, program, images, options);
    const pooled = outputs[classifierOf(network.graph)!.pool]!;
    program.output(pooled);
    await program.compile();
    stack.move();
    return new PooledProgram(program, images, pooled);
  }

  /**
   * Computes features.
   *
   * @param images 1 to `batchSize` images as u8 NHWC.
   * @returns [images, K], row-major.
   */
  async run(images: Uint8Array): Promise<Float32Array> {
    const count = this.#padder.count(images);
    this.#images.write(this.#padder.images(images));
    await this.#program.run("forward");
    return this.#pooled.read().subarray(0, count * this.#pooled.shape[1]!);
  }

  /** Frees the program and its images. */
  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
    this.#images[Symbol.dispose]();
  }
}
