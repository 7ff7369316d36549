/** What {@linkcode Program.activation} applies to each element. */
export type Activation =
  | {
    /** `max(x, 0) + negativeSlope * min(x, 0)`. */
    readonly kind: "leakyRelu";
    /** Between 0 and 1. */
    readonly negativeSlope: number;
  }
  | {
    /** `min(max(x, lower), upper)`. */
    readonly kind: "clip";
    /** The least value. */
    readonly lower: number;
    /** The greatest. */
    readonly upper: number;
  }
  | {
    /**
     * `1 / (1 + exp(-x))`, or x times that (`silu`); `clip(x + 3, 0, 6) / 6`,
     * or x times that (`hardSwish`); x times the standard normal distribution
     * up to x (`gelu`, with erf).
     */
    readonly kind: "sigmoid" | "silu" | "hardSigmoid" | "hardSwish" | "gelu";
  };

/** {@linkcode Activation} as `gapcam_activation` numbers them. */
export const ACTIVATIONS: Record<Activation["kind"], number> = {
  leakyRelu: 1,
  clip: 2,
  sigmoid: 3,
  silu: 4,
  hardSwish: 5,
  hardSigmoid: 6,
  gelu: 7,
};
