import { GapcamError } from "../error.ts";

/**
 * How likely the network holds each class, of one image's logits: their softmax,
 * or a sigmoid of each.
 *
 * @param logits A finite number for each class, at least one.
 * @param options `eachClass`: whether the image may show several classes, so that
 * each has a probability of its own, by a sigmoid. Default: false.
 * @returns As many probabilities in `[0, 1]`; of a softmax their sum is 1 but for
 * rounding.
 * @throws {GapcamError} If there is no logit, or one is not finite.
 *
 * @example Odds of three to one
 * ```ts
 * import { probabilitiesOf } from "@gapcam/gapcam";
 *
 * const [first] = probabilitiesOf([Math.log(3), 0]);
 * if (first !== 0.75) throw new Error(`${first}`);
 * ```
 */
export function probabilitiesOf(
  logits: ArrayLike<number>,
  options: { eachClass?: boolean } = {},
): Float32Array {
  const values = Float64Array.from(logits);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0 || values.length === 0) {
    throw new GapcamError(
      "bad-data",
      `Cannot compute probabilities: found ${
        wrong >= 0 ? `logit ${values[wrong]} of class ${wrong}` : "no logit"
      }, expected a finite number for each class`,
    );
  }
  if (options.eachClass) {
    return Float32Array.from(values, (value) => 1 / (1 + Math.exp(-value)));
  }
  const greatest = values.reduce((a, b) => Math.max(a, b));
  // Less the greatest: no power overflows, and the sum is at least 1.
  const powers = values.map((value) => Math.exp(value - greatest));
  const sum = powers.reduce((a, b) => a + b);
  return Float32Array.from(powers, (power) => power / sum);
}
