import { GapcamError } from "../error.ts";
import type { Program, ProgramStep } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import type { StateDict } from "../host_tensor.ts";
import { assertBatchSize, BatchPadder } from "./_batch_padder.ts";
import {
  assertKnown,
  type Group,
  groupsOf,
  learningOf,
  optimiserTensors,
} from "./_groups.ts";
import type { Network } from "./network.ts";
import { type Optimiser, updateSettings } from "./optimiser.ts";
import { record } from "./record.ts";
import type { TrainingMetrics, TrainingOptions } from "./training_options.ts";

/** The slots of a program's metrics that count. */
type Slots = [number, number, number, number, number, number, number];

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
  readonly #program: Program;
  readonly #images: Tensor;
  readonly #labels: Tensor;
  readonly #metrics: Tensor;
  readonly #draw: { seed: number; random: Tensor };
  readonly #optimiser: Optimiser;
  readonly #groups: readonly Group[];
  readonly #gradients: ReadonlyMap<string, Tensor>;
  readonly #stack: DisposableStack;
  readonly #padder: BatchPadder;
  #step = 0;

  private constructor(parts: {
    program: Program;
    images: Tensor;
    labels: Tensor;
    metrics: Tensor;
    draw: { seed: number; random: Tensor };
    optimiser: Optimiser;
    groups: readonly Group[];
    gradients: ReadonlyMap<string, Tensor>;
    stack: DisposableStack;
  }) {
    this.#program = parts.program;
    this.#images = parts.images;
    this.#labels = parts.labels;
    this.#metrics = parts.metrics;
    this.#draw = parts.draw;
    this.#optimiser = parts.optimiser;
    this.#groups = parts.groups;
    this.#gradients = parts.gradients;
    this.#stack = parts.stack;
    this.#padder = new BatchPadder(parts.images.shape);
  }

  /**
   * Compiles a training step of a network.
   *
   * @param network Whose parameters learn.
   * @param options Batch, images, optimiser, what is frozen.
   * @returns A program, which the caller disposes of.
   * @throws {GapcamError} If the images do not fit the model, nothing is left
   * to learn, or memory runs out.
   */
  static async compile(
    network: Network,
    options: TrainingOptions,
  ): Promise<TrainingProgram> {
    const { device } = network;
    const { batchSize, optimiser, image, freeze = [], groups: rates = [] } =
      options;
    assertBatchSize(batchSize);
    assertKnown(network.parameters, [
      ...freeze,
      ...rates.map(({ prefix }) => prefix),
    ]);
    using stack = new DisposableStack();
    const images = stack.use(device.tensor(
      [batchSize, image.height, image.width, image.channels],
      { type: "u8", staged: true },
    ));
    const labels = stack.use(
      device.tensor([batchSize], { type: "i32", staged: true }),
    );
    const metrics = stack.use(device.tensor([8]));
    const random = stack.use(device.tensor([2], { type: "i32" }));
    const { profile = false } = options;
    const program = stack.use(
      device.program({ training: true, random, profile }),
    );
    const { logits } = record(network, program, images, options);
    const loss = program.crossEntropy(logits, labels, {
      labelSmoothing: options.labelSmoothing ?? 0,
      metrics,
    });
    const learning = learningOf(network.parameters, freeze);
    const gradients = program.backward(
      loss,
      learning.map(({ name }) => network.tensor(name)),
    );
    const byName = new Map(
      learning.map(({ name }, i) => [name, gradients[i]!]),
    );
    const groups = groupsOf(learning, {
      rates,
      device,
      stack,
      moments: optimiser.kind === "sgd" ? 1 : 2,
      weightDecayOn: options.weightDecayOn ?? "all",
    });
    for (const { parameters, first, second, settings } of groups) {
      const common = {
        parameters: parameters.map(({ name }) => network.tensor(name)),
        gradients: parameters.map(({ name }) => byName.get(name)!),
        settings,
      };
      if (optimiser.kind === "sgd") {
        program.sgd({ ...common, momentumBuffers: first });
      } else {
        program.adam({ ...common, firstMoments: first, secondMoments: second });
      }
    }
    await program.compile();
    return new TrainingProgram({
      program,
      images,
      labels,
      metrics,
      draw: { seed: options.seed ?? 0, random },
      optimiser,
      groups,
      gradients: byName,
      stack: stack.move(),
    });
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
   * its images several times.
   *
   * @param images 1 to `batchSize` images as u8 NHWC.
   * @param labels A class index for each image; -1 is ignored.
   * @param options `learningRate`: that of this step; the optimiser's if left out.
   * @throws {GapcamError} If a length does not fit, or the step before is not
   * awaited yet (`busy`).
   */
  async step(
    images: Uint8Array,
    labels: Int32Array,
    options: { learningRate?: number } = {},
  ): Promise<void> {
    const count = this.#padder.count(images);
    const allLabels = this.#padder.labels(labels, count);
    const step = this.#step + 1;
    const rate = options.learningRate ?? this.#optimiser.learningRate;
    this.#program.assertIdle("run");
    this.#images.write(this.#padder.images(images));
    this.#labels.write(allLabels);
    for (const { factor, decays, settings } of this.#groups) {
      const optimiser = decays
        ? this.#optimiser
        : { ...this.#optimiser, weightDecay: 0 };
      settings.write(
        updateSettings(optimiser, { learningRate: rate * factor, step }),
      );
    }
    if (this.#program.draws) {
      // Of a larger number the low 32 bits.
      this.#draw.random.write(Int32Array.of(this.#draw.seed, step));
    }
    await this.#program.run("forward", "backward", "update");
    this.#step = step;
  }

  /**
   * What the steps since the last reset came to. Waits for the last step.
   *
   * @param options `reset`: whether to start counting anew. Default: false.
   * @returns Sums and counts.
   */
  metrics(options: { reset?: boolean } = {}): TrainingMetrics {
    const [lossSum, steps, correct, images, largestLoss, notFinite, lastLoss] =
      this.#metrics.read() as unknown as Slots;
    if (options.reset) this.#metrics.write(new Float32Array(8));
    return {
      ...{ lossSum, steps, correct, images },
      ...{ largestLoss, notFinite, lastLoss },
    };
  }

  /**
   * Copies the gradients of the last step to the host.
   *
   * @returns Those of the parameters that learn, by name.
   */
  gradients(): StateDict {
    return new Map(
      [...this.#gradients].map(([name, tensor]) => [
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
    for (const [name, tensor] of optimiserTensors(this.#groups)) {
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
    for (const [name, { shape }] of optimiserTensors(this.#groups)) {
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
    for (const [name, tensor] of optimiserTensors(this.#groups)) {
      tensor.write(state.get(name)!.data);
    }
    this.#step = stepCount;
  }

  /** The compiled program's bytes and steps. */
  describe(): { bytes: number; steps: ProgramStep[] } {
    return this.#program.describe();
  }

  /** Frees the program, the optimiser's tensors and the batch. */
  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
