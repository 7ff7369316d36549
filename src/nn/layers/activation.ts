import { GapcamError } from "../../error.ts";
import type { LayerKind } from "./_layer_kind.ts";

/** Leaky ReLU; see {@linkcode leakyRelu}. */
export interface LeakyRelu {
  /** Tells layers apart. */
  readonly kind: "leakyRelu";
  /** Factor on negative values: 0 is ReLU, 1 the identity. */
  readonly negativeSlope: number;
}

/**
 * Describes `max(x, 0) + negativeSlope * min(x, 0)`.
 *
 * @param negativeSlope Between 0 (ReLU) and 1 (identity). Default: 0.01, as PyTorch.
 * @returns A layer that keeps the shape.
 * @throws {GapcamError} If the slope is out of range.
 *
 * @example The seed network's slope
 * ```ts
 * import { leakyRelu } from "@gapcam/gapcam";
 *
 * if (leakyRelu(0.2).negativeSlope !== 0.2) throw new Error();
 * ```
 */
export function leakyRelu(negativeSlope = 0.01): LeakyRelu {
  if (!(negativeSlope >= 0 && negativeSlope <= 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot describe a leaky ReLU with slope ${negativeSlope}: ` +
        "expected a number from 0 to 1",
    );
  }
  return { kind: "leakyRelu", negativeSlope };
}

/**
 * Describes a ReLU: a leaky ReLU of slope 0.
 *
 * @returns A layer that keeps the shape.
 *
 * @example A ReLU is a leaky ReLU
 * ```ts
 * import { relu } from "@gapcam/gapcam";
 *
 * if (relu().negativeSlope !== 0) throw new Error();
 * ```
 */
export function relu(): LeakyRelu {
  return leakyRelu(0);
}

/** What is true of leaky ReLUs. */
export const leakyReluKind: LayerKind<LeakyRelu> = {
  parse: (json) => leakyRelu(json.number("negativeSlope")),
  outputShape: (_, [input]) => input,
  record: (layer, { program, inputs }) =>
    program.leakyRelu(inputs[0], layer.negativeSlope),
};

/** Values held between two bounds; see {@linkcode clip}. */
export interface Clip {
  /** Tells layers apart. */
  readonly kind: "clip";
  /** The least value. */
  readonly minimum: number;
  /** The greatest value. */
  readonly maximum: number;
}

/** Name of an activation that is one formula. */
export type ActivationName =
  | "sigmoid"
  | "silu"
  | "hardSigmoid"
  | "hardSwish"
  | "gelu";

/** An activation that is one formula; see {@linkcode activation}. */
export type Activation = {
  [Name in ActivationName]: {
    /** Tells layers apart, and says which formula. */
    readonly kind: Name;
  };
}[ActivationName];

/**
 * Describes `min(max(x, minimum), maximum)`.
 *
 * @param minimum The least value.
 * @param maximum The greatest value, above `minimum`.
 * @returns A layer that keeps the shape.
 * @throws {GapcamError} If the bounds are no numbers or the wrong way round.
 *
 * @example ReLU6, as MobileNet has it
 * ```ts
 * import { clip, relu6 } from "@gapcam/gapcam";
 *
 * if (relu6().maximum !== clip(0, 6).maximum) throw new Error();
 * ```
 */
export function clip(minimum: number, maximum: number): Clip {
  if (!(minimum < maximum)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot describe a clip from ${minimum} to ${maximum}: expected a ` +
        "least value and a greater one",
    );
  }
  return { kind: "clip", minimum, maximum };
}

/**
 * Describes ReLU6: a clip from 0 to 6 (Krizhevsky 2010).
 *
 * @returns A layer that keeps the shape.
 */
export function relu6(): Clip {
  return clip(0, 6);
}

/**
 * Describes an activation that is one formula:
 * `sigmoid` 1 / (1 + exp(-x)); `silu` x sigmoid(x) (Elfwing et al. 2017);
 * `hardSigmoid` clip(x + 3, 0, 6) / 6 and `hardSwish` x hardSigmoid(x)
 * (Howard et al. 2019); `gelu` x Phi(x), with the error function (Hendrycks
 * and Gimpel 2016).
 *
 * @param kind Which one.
 * @returns A layer that keeps the shape.
 *
 * @example
 * ```ts
 * import { activation } from "@gapcam/gapcam";
 *
 * if (activation("silu").kind !== "silu") throw new Error();
 * ```
 */
export function activation(kind: ActivationName): Activation {
  return { kind };
}

/** What is true of clips. */
export const clipKind: LayerKind<Clip> = {
  parse: (json) => clip(json.number("minimum"), json.number("maximum")),
  outputShape: (_, [input]) => input,
  record: ({ minimum, maximum }, { program, inputs }) =>
    program.activation(inputs[0], {
      kind: "clip",
      lower: minimum,
      upper: maximum,
    }),
};

/** What is true of activations that are one formula. */
export function activationKind<const Name extends ActivationName>(
  kind: Name,
): LayerKind<{ readonly kind: Name }> {
  return {
    parse: () => ({ kind }),
    outputShape: (_, [input]) => input,
    record: (_, { program, inputs }) => program.activation(inputs[0], { kind }),
  };
}
