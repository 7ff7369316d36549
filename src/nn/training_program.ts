import { GapcamError } from "../error.ts";
import type { ProgramStep } from "../device/program_options.ts";
import type { StateDict } from "../host_tensor.ts";
import { assertBatchSize, BatchPadder, partsOf } from "./_batch_padder.ts";
import { assertKnown, optimiserTensors } from "./_groups.ts";
import { lossDivisor } from "./_loss_share.ts";
import type { Network } from "./network.ts";
import { updateSettings } from "./optimiser.ts";
import { writeInput } from "./_training_input.ts";
import { recordTraining, type TrainingRecord } from "./_training_record.ts";
import type {
  StepOptions,
  TrainingMetrics,
  TrainingOptions,
} from "./training_options.ts";
import { readMetrics } from "./_training_metrics.ts";

/**
 * A compiled training step: forward, backward and update.
 *
 * @example The loss of a few steps
 * ```ts
 * import { adam, Network, openDevice, TrainingProgram, vgg } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4], { classes: 2, inputChannels: 1 }));
 * using training = await TrainingProgram.compile(network, {
 *   batchSize: 2,
 *   image: { height: 4, width: 4, channels: 1 },
 *   optimiser: adam({ learningRate: 0.1 }),
 * });
 * const images = new Uint8Array(2 * 16).fill(255, 0, 16);
 * for (let i = 0; i < 20; i++) await training.step(images, new Int32Array([0, 1]));
 * const { largestLoss, lastLoss } = training.metrics();
 * if (!(lastLoss < largestLoss)) throw new Error();
 * ```
 */
export class TrainingProgram implements Disposable {
  readonly #record: TrainingRecord;
  readonly #options: TrainingOptions;
  readonly #stack: DisposableStack;
  readonly #padder: BatchPadder;
  #step = 0;

  private constructor(
    record: TrainingRecord,
    options: TrainingOptions,
    stack: DisposableStack,
  ) {
    this.#record = record;
    this.#options = options;
    this.#stack = stack;
    this.#padder = new BatchPadder(record.input.bytes);
  }

  /**
   * Compiles a training step of a network.
   *
   * @param network Whose parameters learn.
   * @param options Batch, images, loss, optimiser, what is frozen.
   * @returns A program, which the caller disposes of.
   * @throws {GapcamError} If the images do not fit the model, nothing is left
   * to learn, a number is out of range, or memory runs out.
   */
  static async compile(
    network: Network,
    options: TrainingOptions,
  ): Promise<TrainingProgram> {
    const { batchSize, freeze = [], groups = [], accumulate = 1 } = options;
    assertBatchSize(batchSize);
    if (!Number.isSafeInteger(accumulate) || accumulate < 1) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot accumulate ${accumulate} batches a step: expected a whole ` +
          "number from 1",
      );
    }
    assertKnown(network.parameters, [
      ...freeze,
      ...groups.map(({ prefix }) => prefix),
    ]);
    using stack = new DisposableStack();
    const record = await recordTraining(network, options, stack);
    return new TrainingProgram(record, options, stack.move());
  }

  /** Steps taken since the start of training; see {@linkcode loadOptimiserState}. */
  get stepCount(): number {
    return this.#step;
  }

  /**
   * Takes one step. The event loop stays free meanwhile.
   *
   * A batch smaller than `batchSize` gives the loss and, without batch
   * normalisation, the gradients that it has alone; batch normalisation sees
   * its images several times. Where the step accumulates, more images than
   * `batchSize` are cut into batches of that size.
   *
   * @param images 1 to `batchSize * accumulate` images as u8 NHWC, or their
   * features as the bytes of 32-bit floats; or none, if other ranks have some.
   * @param labels A class index for each image, or where the step takes targets a
   * number for each image and class; -1 is ignored.
   * @param options `learningRate`: that of this step; the optimiser's if left
   * out. Of a rank: where its images begin, and whether it wishes to stop.
   * @throws {GapcamError} If a length or a kind does not fit, or the step before
   * is not awaited yet (`busy`).
   */
  async step(
    images: Uint8Array,
    labels: Int32Array | Float32Array,
    options: StepOptions = {},
  ): Promise<void> {
    const { program, sums, groups, whole } = this.#record;
    const { batchSize, optimiser, accumulate = 1 } = this.#options;
    const count = whole && images.length === 0
      ? 0
      : this.#padder.count(images, accumulate);
    const classes = this.#assertLabels(labels, count);
    const step = this.#step + 1;
    const rate = options.learningRate ?? optimiser.learningRate;
    program.assertIdle("run");
    for (const { factor, decays, settings } of groups) {
      const used = decays ? optimiser : { ...optimiser, weightDecay: 0 };
      settings.write(
        updateSettings(used, { learningRate: rate * factor, step }),
      );
    }
    const share = {
      classes,
      binary: this.#options.loss === "binary",
      weights: this.#options.classWeights,
    };
    let all = sums ? lossDivisor(labels, share) : 0;
    let least = whole ? 1 : 0;
    if (sums && whole) {
      const agreed = await whole.agree(all, Math.ceil(count / batchSize));
      [all, least] = [agreed.divisor, agreed.batches];
    }
    let part = 0;
    for (const { start, end } of partsOf(count, batchSize, least)) {
      const [from, to] = [start, end].map((at) => at * this.#padder.imageBytes);
      const some = labels.subarray(start * classes, end * classes);
      writeInput(
        this.#record.input,
        this.#padder.images(images.subarray(from, to)),
      );
      this.#record.labels.write(this.#padder.labels(some, classes));
      const divisor = sums || whole ? lossDivisor(some, share) : 0;
      if (sums) {
        const own = all > 0 ? divisor / all : 0;
        sums.settings.write(Float32Array.of(Number(part > 0), own));
      }
      whole?.write(divisor, options.stop ?? false);
      if (program.draws) {
        // Of a larger number the low 32 bits.
        const draw = this.#step * accumulate + ++part;
        this.#record.random.write(
          Int32Array.of(
            this.#options.seed ?? 0,
            draw,
            (options.firstImage ?? 0) + start,
          ),
        );
      } else part++;
      await program.run("forward", "backward", "update");
    }
    await sums?.update.run("update");
    this.#step = step;
  }

  /** How many numbers there are for each image. */
  #assertLabels(labels: Int32Array | Float32Array, count: number): number {
    const { shape, type } = this.#record.labels;
    const classes = shape[1] ?? 1;
    const fits = (labels instanceof Int32Array) === (type === "i32");
    if (fits && labels.length === count * classes) return classes;
    const found = fits
      ? `${labels.length} ${type === "i32" ? "labels" : "targets"}`
      : labels instanceof Int32Array
      ? "labels"
      : "targets";
    const expected = fits
      ? type === "i32" ? "one for each image" : `${classes} for each image`
      : type === "i32"
      ? "labels, as i32"
      : "targets, as f32";
    throw new GapcamError(
      "shape-mismatch",
      `Cannot run a batch of ${count} images with ${found}: expected ${expected}`,
    );
  }

  /**
   * What the steps since the last reset came to. Waits for the last step.
   *
   * @param options `reset`: whether to start counting anew. Default: false.
   * @returns Sums and counts.
   */
  metrics(options: { reset?: boolean } = {}): TrainingMetrics {
    return readMetrics(this.#record.metrics, options);
  }

  /**
   * Copies the gradients of the last step to the host.
   *
   * @returns Those of the parameters that learn, by name.
   */
  gradients(): StateDict {
    return new Map(
      [...this.#record.gradients].map(([name, tensor]) => [
        name,
        { shape: tensor.shape, data: tensor.read() },
      ]),
    );
  }

  /**
   * The optimiser's own tensors, under PyTorch's names: `NAME.exp_avg` and
   * `NAME.exp_avg_sq`, or `NAME.momentum_buffer`. With {@linkcode stepCount}
   * and the parameters they are all that training needs to go on.
   *
   * @returns Copies, by name.
   */
  optimiserState(): StateDict {
    const state: StateDict = new Map();
    for (const [name, tensor] of optimiserTensors(this.#record.groups)) {
      state.set(name, { shape: tensor.shape, data: tensor.read() });
    }
    return state;
  }

  /**
   * Restores what {@linkcode optimiserState} and {@linkcode stepCount} gave.
   *
   * @param state Tensors by name. Those of parameters that do not learn here
   * are left aside.
   * @param stepCount Steps that were taken, from 0.
   * @throws {GapcamError} If a tensor is missing or of another shape, or
   * `stepCount` is not whole; nothing is changed then.
   */
  loadOptimiserState(state: StateDict, stepCount: number): void {
    if (!Number.isSafeInteger(stepCount) || stepCount < 0) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot restore the optimiser after ${stepCount} steps: ` +
          "expected a whole number from 0",
      );
    }
    for (const [name, { shape }] of optimiserTensors(this.#record.groups)) {
      const found = state.get(name);
      if (found?.shape.join() === shape.join()) continue;
      const problem = found
        ? `is [${found.shape.join(", ")}], expected [${shape.join(", ")}]`
        : "is missing";
      throw new GapcamError(
        "shape-mismatch",
        `Cannot restore the optimiser: ${name} ${problem}`,
      );
    }
    for (const [name, tensor] of optimiserTensors(this.#record.groups)) {
      tensor.write(state.get(name)!.data);
    }
    this.#step = stepCount;
  }

  /** The compiled program's bytes and steps. */
  describe(): { bytes: number; steps: ProgramStep[] } {
    return this.#record.program.describe();
  }

  /** Frees the program, the optimiser's tensors and the batch. */
  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
