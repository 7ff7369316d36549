import { GapcamError } from "../error.ts";

/** Adam (Kingma and Ba 2015) or, with decoupled decay, AdamW (Loshchilov and Hutter 2019). */
export interface Adam {
  /** Tells optimisers apart. */
  readonly kind: "adam" | "adamW";
  /** Step size. */
  readonly learningRate: number;
  /** Decay of the first moment. */
  readonly beta1: number;
  /** Decay of the second moment. */
  readonly beta2: number;
  /** Added to the square root of the second moment. */
  readonly epsilon: number;
  /** Weight decay: added to the gradient (Adam) or applied to the parameter (AdamW). */
  readonly weightDecay: number;
}

/** Stochastic gradient descent with momentum, as PyTorch's `SGD`. */
export interface Sgd {
  /** Tells optimisers apart. */
  readonly kind: "sgd";
  /** Step size. */
  readonly learningRate: number;
  /** Decay of the momentum buffer; 0: none. */
  readonly momentum: number;
  /** Share of the gradient that does not enter the buffer. */
  readonly dampening: number;
  /** Whether the step looks ahead (Nesterov). */
  readonly nesterov: boolean;
  /** Weight decay, added to the gradient. */
  readonly weightDecay: number;
}

/** How parameters follow their gradients; plain data. */
export type Optimiser = Adam | Sgd;

/**
 * Describes Adam with PyTorch's defaults.
 *
 * @param options `learningRate` (0.001), `beta1` (0.9), `beta2` (0.999),
 * `epsilon` (1e-8), `weightDecay` (0).
 * @returns Plain data.
 * @throws {GapcamError} If a number is out of range.
 *
 * @example The seed's optimiser
 * ```ts
 * import { adam } from "@gapcam/gapcam";
 *
 * if (adam({ learningRate: 1e-5 }).beta2 !== 0.999) throw new Error();
 * ```
 */
export function adam(options: Partial<Omit<Adam, "kind">> = {}): Adam {
  return checked({
    kind: "adam",
    learningRate: options.learningRate ?? 1e-3,
    beta1: options.beta1 ?? 0.9,
    beta2: options.beta2 ?? 0.999,
    epsilon: options.epsilon ?? 1e-8,
    weightDecay: options.weightDecay ?? 0,
  });
}

/**
 * Describes AdamW with PyTorch's defaults: as {@linkcode adam}, but
 * `weightDecay` is 0.01 and does not pass through the moments.
 *
 * @param options As for {@linkcode adam}.
 * @returns Plain data.
 * @throws {GapcamError} If a number is out of range.
 *
 * @example Decoupled decay
 * ```ts
 * import { adamW } from "@gapcam/gapcam";
 *
 * if (adamW().weightDecay !== 0.01) throw new Error();
 * ```
 */
export function adamW(options: Partial<Omit<Adam, "kind">> = {}): Adam {
  const weightDecay = options.weightDecay ?? 0.01;
  return { ...adam({ ...options, weightDecay }), kind: "adamW" };
}

/**
 * Describes stochastic gradient descent with PyTorch's defaults.
 *
 * @param options `learningRate` (0.001), `momentum` (0), `dampening` (0),
 * `nesterov` (false), `weightDecay` (0).
 * @returns Plain data.
 * @throws {GapcamError} If a number is out of range, or Nesterov is asked for
 * without momentum or with dampening.
 *
 * @example Nesterov's momentum
 * ```ts
 * import { sgd } from "@gapcam/gapcam";
 *
 * const optimiser = sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true });
 * if (optimiser.kind !== "sgd") throw new Error();
 * ```
 */
export function sgd(options: Partial<Omit<Sgd, "kind">> = {}): Sgd {
  const result: Sgd = checked({
    kind: "sgd",
    learningRate: options.learningRate ?? 1e-3,
    momentum: options.momentum ?? 0,
    dampening: options.dampening ?? 0,
    nesterov: options.nesterov ?? false,
    weightDecay: options.weightDecay ?? 0,
  });
  if (result.nesterov && (result.momentum <= 0 || result.dampening !== 0)) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot describe SGD: Nesterov needs a momentum above 0 and no dampening",
    );
  }
  return result;
}

/**
 * The eight numbers that one native update takes; see gapcam_program_adam and
 * gapcam_program_sgd in gapcam.h. Computed in double precision, as PyTorch does.
 *
 * @param optimiser What to do.
 * @param options `learningRate` of this step and its number `step`, from 1.
 * @returns The f32 [8] settings of {@linkcode Program.adam} or {@linkcode Program.sgd}.
 *
 * @example The first step of SGD
 * ```ts
 * import { sgd } from "@gapcam/gapcam";
 * import { updateSettings } from "./optimiser.ts";
 *
 * const settings = updateSettings(sgd(), { learningRate: 0.5, step: 1 });
 * if (settings[0] !== 0.5 || settings[5] !== 1) throw new Error();
 * ```
 */
export function updateSettings(
  optimiser: Optimiser,
  options: { learningRate: number; step: number },
): Float32Array {
  const { learningRate, step } = options;
  if (optimiser.kind === "sgd") {
    return Float32Array.of(
      learningRate,
      optimiser.momentum,
      1 - optimiser.dampening,
      optimiser.weightDecay,
      optimiser.nesterov ? 1 : 0,
      step === 1 ? 1 : 0,
      0,
      0,
    );
  }
  const { beta1, beta2, epsilon, weightDecay } = optimiser;
  const decoupled = optimiser.kind === "adamW";
  return Float32Array.of(
    1 - beta1,
    beta2,
    1 - beta2,
    epsilon,
    decoupled ? 0 : weightDecay,
    decoupled ? 1 - learningRate * weightDecay : 1,
    learningRate / (1 - beta1 ** step),
    Math.sqrt(1 - beta2 ** step),
  );
}

function checked<Kind extends Optimiser>(optimiser: Kind): Kind {
  const ranges: Record<string, [number, number]> = {
    learningRate: [0, Infinity],
    beta1: [0, 1],
    beta2: [0, 1],
    epsilon: [0, Infinity],
    momentum: [0, Infinity],
    dampening: [0, 1],
    weightDecay: [0, Infinity],
  };
  for (const [name, [low, high]] of Object.entries(ranges)) {
    const value = (optimiser as unknown as Record<string, unknown>)[name];
    if (value === undefined) continue;
    const excluded = name.startsWith("beta") && value === 1;
    if (
      typeof value === "number" && Number.isFinite(value) && value >= low &&
      value <= high && !excluded
    ) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot describe optimiser ${optimiser.kind}: ${name} is ${value}, ` +
        `expected a number of at least ${low}` +
        (high === Infinity
          ? ""
          : name.startsWith("beta")
          ? ` and below ${high}`
          : ` and at most ${high}`),
    );
  }
  return optimiser;
}
