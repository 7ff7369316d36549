import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { elementCount } from "../host_tensor.ts";
import type { ImageOptions, Network } from "../nn/network.ts";
import { preparedSize, recordNodes } from "../nn/record.ts";
import {
  enlargedRange,
  type Interpolation,
  interpolation,
  interpolationMatrix,
} from "./_interpolation.ts";

type Size = readonly [height: number, width: number];

/** A network that sees one image behind many masks, which the device enlarges. */
export class MaskProgram implements Disposable {
  readonly #program: Program;
  readonly #image: Tensor;
  readonly #masks: Tensor;
  readonly #rows: Tensor;
  readonly #columns: Tensor;
  readonly #logits: Tensor;
  readonly #stack: DisposableStack;
  #axes: { rows: Interpolation; columns: Interpolation; width: number };
  readonly #buffer: Float32Array;
  /** Masks a run. */
  readonly batchSize: number;
  /** Numbers that the network gives. */
  readonly outputs: number;

  private constructor(parts: {
    program: Program;
    image: Tensor;
    masks: Tensor;
    rows: Tensor;
    columns: Tensor;
    logits: Tensor;
    stack: DisposableStack;
  }) {
    this.#program = parts.program;
    this.#image = parts.image;
    this.#masks = parts.masks;
    this.#rows = parts.rows;
    this.#columns = parts.columns;
    this.#logits = parts.logits;
    this.#stack = parts.stack;
    this.#buffer = new Float32Array(parts.masks.length);
    [this.batchSize, this.outputs] = parts.logits.shape as [number, number];
    this.#axes = this.#setSize(parts.masks.shape.slice(2) as [number, number]);
  }

  /** Compiles it for masks of at most a size. */
  static async compile(
    network: Network,
    images: ImageOptions,
    { batchSize, size: [height, width] }: { batchSize: number; size: Size },
  ): Promise<MaskProgram> {
    const { device } = network;
    using stack = new DisposableStack();
    const program = stack.use(device.program());
    const { channels } = images.image;
    const seen = preparedSize(images);
    const image = stack.use(
      device.tensor([batchSize, channels, seen.height, seen.width]),
    );
    const masks = stack.use(
      device.tensor([batchSize, channels, height, width], {
        type: "f32",
        staged: true,
      }),
    );
    const rows = stack.use(device.tensor([seen.height, height]));
    const columns = stack.use(device.tensor([width, seen.width]));
    const masked = program.multiply(
      program.resample(masks, rows, columns),
      image,
    );
    const logits = program.output(
      recordNodes(network, program, { input: masked })[network.graph.output]!,
    );
    await program.compile();
    return new MaskProgram({
      ...{ program, image, masks, rows, columns, logits },
      stack: stack.move(),
    });
  }

  /** Sets the image that is seen: [channels, height, width], normalised. */
  setImage(values: Float32Array): void {
    const all = new Float32Array(elementCount(this.#image.shape));
    for (let i = 0; i < this.batchSize; i++) all.set(values, i * values.length);
    this.#image.write(all);
  }

  /** Sets the masks' size, at most that of which the program was compiled. */
  setSize(size: Size): void {
    this.#axes = this.#setSize(size);
  }

  #setSize([height, width]: Size) {
    const [toHeight, mostHeight] = this.#rows.shape as [number, number];
    const [mostWidth, toWidth] = this.#columns.shape as [number, number];
    const rows = interpolation(height, toHeight);
    const columns = interpolation(width, toWidth);
    this.#rows.write(
      interpolationMatrix(rows, { size: mostHeight, transposed: false }),
    );
    this.#columns.write(
      interpolationMatrix(columns, { size: mostWidth, transposed: true }),
    );
    return { rows, columns, width };
  }

  /**
   * Computes the logits of the image behind each of some masks.
   *
   * @param planes At most `batchSize`; each is scaled to [0, 1] as it is when
   * enlarged.
   * @returns [planes, outputs].
   */
  async run(planes: readonly Float32Array[]): Promise<Float32Array> {
    const [, channels, height, width] = this.#masks.shape as [
      number,
      number,
      number,
      number,
    ];
    const { rows, columns, width: used } = this.#axes;
    const area = height * width;
    planes.forEach((plane, i) => {
      const [least, greatest] = enlargedRange(plane, rows, {
        columns,
        width: used,
      });
      const factor = 1 / (greatest - least + 1e-8);
      const start = i * channels * area;
      for (let j = 0; j < plane.length; j++) {
        const at = start + Math.floor(j / used) * width + j % used;
        this.#buffer[at] = (plane[j]! - least) * factor;
      }
      for (let c = 1; c < channels; c++) {
        this.#buffer.copyWithin(start + c * area, start, start + area);
      }
    });
    this.#masks.write(this.#buffer);
    await this.#program.run("forward");
    return this.#logits.read().subarray(0, planes.length * this.outputs);
  }

  /** Frees it. */
  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
