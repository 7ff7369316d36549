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
