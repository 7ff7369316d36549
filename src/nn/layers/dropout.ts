import { GapcamError } from "../../error.ts";
import type { LayerKind } from "./_layer_kind.ts";

/** Values that training drops at random; see {@linkcode dropout}. */
export interface Dropout {
  /** Tells layers apart. */
  readonly kind: "dropout";
  /** How likely a value is dropped. */
  readonly probability: number;
}

/** Images of a batch whose values training drops at random; see {@linkcode stochasticDepth}. */
export interface StochasticDepth {
  /** Tells layers apart. */
  readonly kind: "stochasticDepth";
  /** How likely an image's are dropped. */
  readonly probability: number;
}

/**
 * Describes dropout (Srivastava et al. 2014): in training each value becomes 0
 * with a probability, and the others are divided by how likely they stay;
 * otherwise nothing happens.
 *
 * @param probability In [0, 1). Default: 0.5, as PyTorch.
 * @returns A layer that keeps the shape.
 * @throws {GapcamError} If the probability is out of range.
 */
export function dropout(probability = 0.5): Dropout {
  return { kind: "dropout", probability: checked(probability) };
}

/**
 * Describes stochastic depth (Huang et al. 2016): dropout of all values of an
 * image at once, which in a residual block leaves the shortcut alone.
 *
 * @param probability In [0, 1).
 * @returns A layer that keeps the shape.
 * @throws {GapcamError} If the probability is out of range.
 */
export function stochasticDepth(probability: number): StochasticDepth {
  return { kind: "stochasticDepth", probability: checked(probability) };
}

function checked(probability: number): number {
  if (probability >= 0 && probability < 1) return probability;
  throw new GapcamError(
    "invalid-argument",
    `Cannot drop values with probability ${probability}: expected a number ` +
      "from 0 and below 1",
  );
}

/** What is true of dropout. */
export const dropoutKind: LayerKind<Dropout> = {
  parse: (json) => dropout(json.number("probability")),
  outputShape: (_, [input]) => input,
  record: ({ probability }, { program, inputs }) =>
    probability > 0 ? program.dropout(inputs[0], probability) : inputs[0],
};

/** What is true of stochastic depth. */
export const stochasticDepthKind: LayerKind<StochasticDepth> = {
  parse: (json) => stochasticDepth(json.number("probability")),
  outputShape: (_, [input]) => input,
  record: ({ probability }, { program, inputs }) =>
    probability > 0
      ? program.dropout(inputs[0], probability, { wholeImages: true })
      : inputs[0],
};
