import { GapcamError } from "../error.ts";
import { type Activation, ACTIVATIONS } from "./activation.ts";
import { handles, pair, sides, whole } from "./_arguments.ts";
import { call, check, messageBuffer, readDescription } from "./_library.ts";
import { Lifetime } from "./_lifetime.ts";
import type { Padding2d, Size2d } from "./size2d.ts";
import {
  BINARY,
  type Phase,
  PHASES,
  POOLS,
  type ProgramOptions,
  type ProgramStep,
} from "./program_options.ts";
import { MAX_RANK, type Symbols } from "./_symbols.ts";
import { type LossOptions, recordLoss } from "./losses.ts";
import { Tensor, TENSOR_TYPES } from "./tensor.ts";
import {
  type AdamOptions,
  recordAdam,
  recordBlend,
  recordSgd,
  type SgdOptions,
} from "./updates.ts";

const registry = new FinalizationRegistry<{ symbols: Symbols; handle: bigint }>(
  ({ symbols, handle }) => symbols.gapcam_program_destroy(handle, null),
);

/**
 * An ordered list of operations on tensors: recorded, compiled once, then run
 * as often as wanted, without allocating. Operations belong to the program and
 * so do the tensors that they return.
 *
 * @example A gradient
 * ```ts
 * import { openDevice } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using input = device.tensor([1, 2], { data: new Float32Array([1, 2]) });
 * using weight = device.tensor([2, 2]);
 * using labels = device.tensor([1], { data: new Int32Array([0]) });
 * using program = device.program();
 * const loss = program.crossEntropy(program.linear(input, weight), labels);
 * const [gradient] = program.backward(loss, [weight]);
 * await program.compile();
 * await program.run("forward", "backward");
 * // (softmax - one-hot) times the input, at weights of zero.
 * if (gradient?.read().join() !== "-0.5,-1,0.5,1") throw new Error();
 * ```
 */
export class Program implements Disposable {
  readonly #symbols: Symbols;
  readonly #lifetime: Lifetime;
  readonly #training: boolean;
  readonly #random: Tensor | undefined;
  #handle: bigint;
  #busy = false;
  #drawing = false;

  /** @ignore Programs are made by {@linkcode Device.program}. */
  constructor(
    symbols: Symbols,
    device: bigint,
    options: ProgramOptions & { lifetime: Lifetime },
  ) {
    this.#lifetime = new Lifetime(this, options.lifetime);
    const created = new BigUint64Array(1);
    call((message) =>
      symbols.gapcam_program_create(
        device,
        (options.training ? 1 : 0) | (options.profile ? 2 : 0),
        created,
        message,
      )
    );
    this.#symbols = symbols;
    this.#training = options.training ?? false;
    this.#random = options.random;
    this.#handle = created[0]!;
    registry.register(this, { symbols, handle: this.#handle }, this);
    const { communicator } = options;
    if (!communicator) return;
    call((message) =>
      symbols.gapcam_program_communicate(
        this.#handle,
        communicator.handleFor(symbols, device),
        (options.syncBatchNorm ? 1 : 0) | (options.reduce === "fast" ? 2 : 0),
        message,
      )
    );
  }

  /**
   * Resizes u8 images [N, H, W, C] as Pillow's bilinear filter does and
   * normalises them: `(x / 255 - mean[c]) / deviation[c]`.
   *
   * @returns f32 [N, C, height, width].
   */
  prepareImages(
    images: Tensor,
    options: {
      height: number;
      width: number;
      mean: readonly number[];
      deviation: readonly number[];
    },
  ): Tensor {
    const channels = images.shape[3];
    if (
      options.mean.length !== channels || options.deviation.length !== channels
    ) {
      throw new GapcamError(
        "shape-mismatch",
        `Cannot prepare images of ${channels} channels with ` +
          `${options.mean.length} means and ${options.deviation.length} ` +
          "deviations: expected one for each channel",
      );
    }
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_prepare_images(
        program,
        images.handle,
        BigInt(whole("height", options.height)),
        BigInt(whole("width", options.width)),
        Float32Array.from(options.mean),
        Float32Array.from(options.deviation),
        output,
        message,
      )
    );
  }

  /**
   * Cross-correlates [N, I, H, W] with a weight [O, I / groups, kernel height,
   * kernel width], adds a bias [O] and applies leaky ReLU.
   *
   * @returns f32 [N, O, rows, columns].
   * @throws {GapcamError} If shapes do not fit, `groups` does not divide I and
   * O, or a number is not whole or above 4096.
   */
  conv2d(
    input: Tensor,
    weight: Tensor,
    options: {
      bias?: Tensor;
      stride?: Size2d;
      /**
       * Zeros above and below, left and right, or on each side: [top, left,
       * bottom, right]. Default: 0.
       */
      padding?: Padding2d;
      /** Rows and columns from one of the kernel's to the next. Default: 1, they touch. */
      dilation?: Size2d;
      /**
       * Channels and outputs are divided into so many, each convolved by
       * itself; I: depthwise. Default: 1.
       */
      groups?: number;
      /** 1: none, 0: ReLU. Default: 1. */
      negativeSlope?: number;
    } = {},
  ): Tensor {
    const [strideHeight, strideWidth] = pair("stride", options.stride ?? 1);
    const [top, left, bottom, right] = sides("padding", options.padding ?? 0);
    const [dilationHeight, dilationWidth] = pair(
      "dilation",
      options.dilation ?? 1,
    );
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_conv2d(
        program,
        input.handle,
        weight.handle,
        options.bias?.handle ?? 0n,
        strideHeight,
        strideWidth,
        top,
        left,
        bottom,
        right,
        dilationHeight,
        dilationWidth,
        whole("groups", options.groups ?? 1),
        ACTIVATIONS.leakyRelu,
        options.negativeSlope ?? 1,
        0,
        output,
        message,
      )
    );
  }

  /** Applies `max(x, 0) + negativeSlope * min(x, 0)`. */
  leakyRelu(input: Tensor, negativeSlope: number): Tensor {
    return this.activation(input, { kind: "leakyRelu", negativeSlope });
  }

  /** Applies an activation to each element. */
  activation(input: Tensor, activation: Activation): Tensor {
    const [a, b] = activation.kind === "leakyRelu"
      ? [activation.negativeSlope, 0]
      : activation.kind === "clip"
      ? [activation.lower, activation.upper]
      : [0, 0];
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_unary(
        program,
        input.handle,
        ACTIVATIONS[activation.kind],
        a,
        b,
        output,
        message,
      )
    );
  }

  /** Adds two tensors of one shape, element by element. */
  add(first: Tensor, second: Tensor): Tensor {
    return this.#binary(BINARY.add, first, second);
  }

  /**
   * Multiplies two tensors of one shape, element by element, or each channel of
   * a map [N, C, H, W] by a gate [N, C, 1, 1].
   */
  multiply(first: Tensor, second: Tensor): Tensor {
    return this.#binary(BINARY.multiply, first, second);
  }

  /**
   * Divides a tensor by another of its shape, element by element; 0 where the
   * second is 0. It has no gradient.
   */
  divide(first: Tensor, second: Tensor): Tensor {
    return this.#binary(BINARY.divide, first, second);
  }

  #binary(kind: number, first: Tensor, second: Tensor): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_binary(
        program,
        kind,
        first.handle,
        second.handle,
        output,
        message,
      )
    );
  }

  /** Puts maps of one size one after the other along channels. */
  concatenate(inputs: readonly Tensor[]): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_concatenate(
        program,
        handles(inputs),
        inputs.length,
        output,
        message,
      )
    );
  }

  /** The channels of [N, C, H, W] from `start` to before `end`. */
  sliceChannels(input: Tensor, start: number, end: number): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_slice_channels(
        program,
        input.handle,
        BigInt(whole("start", start)),
        BigInt(whole("end", end)),
        output,
        message,
      )
    );
  }

  /**
   * Mixes groups of channels, as ShuffleNet does: channel `i * groups + g` of
   * the output is channel `g * (channels / groups) + i` of the input.
   */
  channelShuffle(input: Tensor, groups: number): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_channel_shuffle(
        program,
        input.handle,
        whole("groups", groups),
        output,
        message,
      )
    );
  }

  /**
   * In a program that trains, replaces each value by 0 with a probability and
   * divides the others by `1 - probability`; in any other gives `input` back.
   *
   * @param probability Between 0 and 1.
   * @param options `wholeImages`: whether all values of an image are dropped
   * or kept together (stochastic depth). Default: false.
   * @throws {GapcamError} If the program trains and has no
   * {@linkcode ProgramOptions.random} (`invalid-argument`).
   */
  dropout(
    input: Tensor,
    probability: number,
    options: { wholeImages?: boolean } = {},
  ): Tensor {
    if (!(probability >= 0 && probability <= 1)) {
      throw new GapcamError(
        "invalid-argument",
        "Cannot add dropout: its probability must be between 0 and 1, " +
          `found ${probability}`,
      );
    }
    if (!this.#training) return input;
    const random = this.#random;
    if (!random) {
      throw new GapcamError(
        "invalid-argument",
        "Cannot add dropout: the program trains and has nothing to draw by; " +
          "give Device.program() an i32 [2] tensor as random",
      );
    }
    const output = this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_dropout(
        program,
        input.handle,
        random.handle,
        probability,
        options.wholeImages ? 1 : 0,
        output,
        message,
      )
    );
    this.#drawing = true;
    return output;
  }

  /** Whether the program has dropout, and {@linkcode ProgramOptions.random} must be written. */
  get draws(): boolean {
    return this.#drawing;
  }

  /** Normalises each channel over N, H and W, then applies leaky ReLU. All four tensors are [C]. */
  batchNorm2d(
    input: Tensor,
    options: {
      weight: Tensor;
      bias: Tensor;
      runningMean: Tensor;
      runningVariance: Tensor;
      epsilon?: number;
      momentum?: number;
      negativeSlope?: number;
    },
  ): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_batch_norm2d(
        program,
        input.handle,
        options.weight.handle,
        options.bias.handle,
        options.runningMean.handle,
        options.runningVariance.handle,
        options.epsilon ?? 1e-5,
        options.momentum ?? 0.1,
        ACTIVATIONS.leakyRelu,
        options.negativeSlope ?? 1,
        0,
        output,
        message,
      )
    );
  }

  /**
   * The maximum over windows; `stride` is `kernel` if left out. Padding is above
   * and below, left and right, or on each side: [top, left, bottom, right]; at
   * most half the kernel. With `ceilMode` a last window may reach beyond it.
   */
  maxPool2d(
    input: Tensor,
    kernel: Size2d,
    options: { stride?: Size2d; padding?: Padding2d; ceilMode?: boolean } = {},
  ): Tensor {
    return this.#pool2d(POOLS.max, input, { kernel, ...options });
  }

  /**
   * The average over windows; as {@linkcode maxPool2d}. Padding counts as zeros
   * unless `countIncludePad` is false, as in PyTorch.
   */
  averagePool2d(
    input: Tensor,
    kernel: Size2d,
    options: {
      stride?: Size2d;
      padding?: Padding2d;
      ceilMode?: boolean;
      countIncludePad?: boolean;
    } = {},
  ): Tensor {
    return this.#pool2d(POOLS.average, input, { kernel, ...options });
  }

  #pool2d(
    kind: number,
    input: Tensor,
    options: {
      kernel: Size2d;
      stride?: Size2d;
      padding?: Padding2d;
      ceilMode?: boolean;
      countIncludePad?: boolean;
    },
  ): Tensor {
    const { kernel, ceilMode = false, countIncludePad = true } = options;
    const [kernelHeight, kernelWidth] = pair("kernel size", kernel);
    const [strideHeight, strideWidth] = pair(
      "stride",
      options.stride ?? kernel,
    );
    const [top, left, bottom, right] = sides("padding", options.padding ?? 0);
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_pool2d(
        program,
        kind,
        input.handle,
        kernelHeight,
        kernelWidth,
        strideHeight,
        strideWidth,
        top,
        left,
        bottom,
        right,
        ceilMode ? 1 : 0,
        countIncludePad ? 1 : 0,
        output,
        message,
      )
    );
  }

  /**
   * [N, C, H, W] to [N, C], or to [N, C, 1, 1] if `keepDimensions`: the mean
   * over H and W.
   */
  globalAveragePool(
    input: Tensor,
    options: { keepDimensions?: boolean } = {},
  ): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_global_average_pool(
        program,
        input.handle,
        options.keepDimensions ? 1 : 0,
        output,
        message,
      )
    );
  }

  /** [N, C, H, W] to [N, C * H * W], in that order. */
  flatten(input: Tensor): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_flatten(program, input.handle, output, message)
    );
  }

  /**
   * [N, C, H, W] to [N, C]: the sum over H and W of `weights` [H, W] times the
   * input, which is read as the device holds it. It has no gradient.
   */
  spatialSum(input: Tensor, weights: Tensor): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_spatial_sum(
        program,
        input.handle,
        weights.handle,
        output,
        message,
      )
    );
  }

  /**
   * [N, C, h, w] to [N, C, H, W]: each plane between `rows` [H, h] and `columns`
   * [w, W], `rows * plane * columns`. It has no gradient.
   */
  resample(input: Tensor, rows: Tensor, columns: Tensor): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_resample(
        program,
        input.handle,
        rows.handle,
        columns.handle,
        output,
        message,
      )
    );
  }

  /** [N, I] to [N, O]: `input * weight^T + bias`, weight [O, I]. */
  linear(
    input: Tensor,
    weight: Tensor,
    options: { bias?: Tensor } = {},
  ): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_linear(
        program,
        input.handle,
        weight.handle,
        options.bias?.handle ?? 0n,
        output,
        message,
      )
    );
  }

  /**
   * Mean softmax cross-entropy of logits [N, classes] and i32 labels [N], of
   * which -1 is ignored, or f32 targets [N, classes]: a probability of each
   * class, or a row that begins with -1 and is ignored.
   *
   * @param options `weights`: factors [classes] on each class's part, as
   * PyTorch's; `metrics`: an f32 [8] tensor that each forward run adds to. See
   * `gapcam_program_loss` in gapcam.h.
   * @returns f32 [1].
   */
  crossEntropy(
    logits: Tensor,
    labels: Tensor,
    options: LossOptions = {},
  ): Tensor {
    return this.#record((...call) =>
      recordLoss("crossEntropy", { logits, labels, ...options }, call)
    );
  }

  /**
   * Mean binary cross-entropy of logits [N, classes], each by a sigmoid of its
   * own, and f32 targets of the same shape in [0, 1]; -1 is ignored.
   *
   * @param options As for {@linkcode crossEntropy}; `weights` are factors on the
   * part of what is there, PyTorch's `pos_weight`.
   * @returns f32 [1].
   */
  binaryCrossEntropy(
    logits: Tensor,
    targets: Tensor,
    options: LossOptions = {},
  ): Tensor {
    return this.#record((...call) =>
      recordLoss("binaryCrossEntropy", {
        logits,
        labels: targets,
        ...options,
      }, call)
    );
  }

  /** Keeps a tensor of the program, so that it can be read after a run. */
  output(tensor: Tensor): Tensor {
    call((message) =>
      this.#symbols.gapcam_program_output(
        this.#use(),
        tensor.handle,
        message,
      )
    );
    return tensor;
  }

  /**
   * Records the backward pass.
   *
   * @param output What to differentiate: the loss, or any tensor of the
   * program together with `outputGradient`.
   * @param targets Tensors of the device that the program uses, or tensors that
   * it makes. The gradient of one that is used several times is the sum over
   * its uses.
   * @returns One gradient for each target, of its shape.
   */
  backward(
    output: Tensor,
    targets: readonly Tensor[],
    options: { outputGradient?: Tensor } = {},
  ): Tensor[] {
    const gradients = new BigUint64Array(targets.length);
    call((message) =>
      this.#symbols.gapcam_program_backward(
        this.#use(),
        output.handle,
        options.outputGradient?.handle ?? 0n,
        handles(targets),
        targets.length,
        gradients,
        message,
      )
    );
    return Array.from(
      gradients,
      (handle, i) => this.#tensor(handle, targets[i]!.shape),
    );
  }

  /**
   * The norm [1] of all gradients together, and the factor [1] by which an update
   * must multiply them so that it is at most `maxNorm`, as PyTorch's
   * `clip_grad_norm_`.
   */
  gradientNorm(
    gradients: readonly Tensor[],
    maxNorm: number,
  ): { norm: Tensor; factor: Tensor } {
    const made = new BigUint64Array(2);
    call((message) =>
      this.#symbols.gapcam_program_gradient_norm(
        this.#use(),
        gradients.length,
        handles(gradients),
        maxNorm,
        made.subarray(0, 1),
        made.subarray(1),
        message,
      )
    );
    const [norm, factor] = Array.from(
      made,
      (handle) => this.#tensor(handle, [1]),
    );
    return { norm: norm!, factor: factor! };
  }

  /** Records `target = s0 target + s1 source` for each pair; see `gapcam_program_blend`. */
  blend(
    targets: readonly Tensor[],
    sources: readonly Tensor[],
    options: { settings: Tensor },
  ): void {
    recordBlend(this.#symbols, this.#use(), { targets, sources, ...options });
  }

  /**
   * From what this rank's loss came to, to that of the whole batch, of a program
   * that communicates; see `gapcam_program_whole_batch` in gapcam.h.
   *
   * @param own The `metrics` of the loss, which are zeroed.
   * @param options `settings`: f32 [2], what this rank's loss is divided by and
   * whether it wishes to stop; `metrics`: f32 [8], those of the whole batch.
   * @returns f32 [1]: this rank's share of the whole batch's loss.
   */
  wholeBatch(
    own: Tensor,
    options: { settings: Tensor; metrics: Tensor },
  ): Tensor {
    return this.#record((symbols, program, output, message) =>
      symbols.gapcam_program_whole_batch(
        program,
        own.handle,
        options.settings.handle,
        options.metrics.handle,
        output,
        message,
      )
    );
  }

  /**
   * Sums `sums` over the ranks and takes the mean of `means`, in place, of a
   * program that communicates: its gradients, or tensors of the device.
   */
  allReduce(sums: readonly Tensor[], means: readonly Tensor[] = []): void {
    call((message) =>
      this.#symbols.gapcam_program_all_reduce(
        this.#use(),
        sums.length,
        handles(sums),
        means.length,
        handles(means),
        message,
      )
    );
  }

  /** Records one step of Adam over all parameters; see `gapcam_program_adam` for `settings`. */
  adam(options: AdamOptions): void {
    recordAdam(this.#symbols, this.#use(), options);
  }

  /** Records one step of SGD over all parameters; see `gapcam_program_sgd` for `settings`. */
  sgd(options: SgdOptions): void {
    recordSgd(this.#symbols, this.#use(), options);
  }

  /**
   * Ends recording: chooses layouts and algorithms and allocates everything.
   * The event loop stays free meanwhile.
   *
   * @throws {GapcamError} If the program has no operation, was compiled before
   * or cannot be had on the device, or memory runs out.
   */
  async compile(): Promise<void> {
    await this.#inFlight(
      "compile",
      (handle, message) =>
        this.#symbols.gapcam_program_compile(handle, message),
    );
  }

  /**
   * Runs phases, in the order forward, backward, update. The event loop stays
   * free meanwhile.
   *
   * @throws {GapcamError} If the program is not compiled, has no such phase, or
   * an earlier run is still in flight (`busy`).
   */
  async run(...phases: Phase[]): Promise<void> {
    await this.#inFlight(
      "run",
      (handle, message) =>
        this.#symbols.gapcam_program_run(handle, bitsOf(phases), message),
    );
  }

  /**
   * As {@linkcode run}, but holds the calling thread until the run has ended;
   * saves some 40 microseconds.
   *
   * @throws {GapcamError} As {@linkcode run}.
   */
  runSync(...phases: Phase[]): void {
    this.assertIdle("run");
    const handle = this.#use();
    call((message) =>
      this.#symbols.gapcam_program_run_blocking(
        handle,
        bitsOf(phases),
        message,
      )
    );
  }

  /** The bytes that the compiled program holds, and its steps. */
  describe(): { bytes: number; steps: ProgramStep[] } {
    const handle = this.#use();
    return readDescription((...buffers) =>
      this.#symbols.gapcam_program_describe(handle, ...buffers)
    );
  }

  /**
   * Destroys the program and its tensors. A run in flight goes on to its end,
   * with its memory, and its promise is kept.
   */
  [Symbol.dispose](): void {
    if (this.#handle === 0n) return;
    const handle = this.#handle;
    this.#handle = 0n;
    registry.unregister(this);
    this.#lifetime.end("its program was disposed of", () => {
      // The device may have been closed first, and the program with it.
      this.#symbols.gapcam_program_destroy(handle, null);
    });
  }

  #use(): bigint {
    if (this.#handle === 0n) {
      throw new GapcamError(
        "invalid-handle",
        "Cannot use a program: it was disposed of",
      );
    }
    this.#lifetime.assertAlive(() => "Cannot use a program");
    return this.#handle;
  }

  /** @ignore Throws while a call is in flight. */
  assertIdle(action: string): void {
    if (!this.#busy) return;
    throw new GapcamError(
      "busy",
      `Cannot ${action} the program: an earlier call is still in flight; ` +
        "await it first",
    );
  }

  // One at a time: calls in flight together may start in any order.
  async #inFlight(
    action: string,
    start: (
      handle: bigint,
      message: Uint8Array<ArrayBuffer>,
    ) => Promise<number>,
  ): Promise<void> {
    this.assertIdle(action);
    const handle = this.#use();
    const message = messageBuffer();
    using _handles = this.#lifetime.hold();
    this.#busy = true;
    try {
      check(await start(handle, message), message);
    } finally {
      this.#busy = false;
    }
  }

  /** Wraps an f32 tensor that the program owns. */
  #tensor(handle: bigint, shape: readonly number[]): Tensor {
    return new Tensor(this.#symbols, handle, {
      shape,
      type: "f32",
      lifetime: this.#lifetime,
      owned: false,
    });
  }

  /** Records one operation and wraps the tensor that it makes. */
  #record(
    operation: (
      symbols: Symbols,
      program: bigint,
      output: BigUint64Array<ArrayBuffer>,
      message: Uint8Array<ArrayBuffer>,
    ) => number,
  ): Tensor {
    const program = this.#use();
    const output = new BigUint64Array(1);
    call((message) => operation(this.#symbols, program, output, message));
    const type = new Int32Array(1);
    const rank = new Int32Array(1);
    const shape = new BigInt64Array(MAX_RANK);
    call((message) =>
      this.#symbols.gapcam_tensor_shape(output[0]!, type, rank, shape, message)
    );
    return new Tensor(this.#symbols, output[0]!, {
      shape: Array.from(shape.subarray(0, rank[0]!), Number),
      type: TENSOR_TYPES[type[0]!]!,
      lifetime: this.#lifetime,
      owned: false,
    });
  }
}

function bitsOf(phases: readonly Phase[]): number {
  return phases.reduce((bits, phase) => bits | (PHASES[phase] ?? 0), 0);
}
