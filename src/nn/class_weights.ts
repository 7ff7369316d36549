import { GapcamError } from "../error.ts";

/** Refuses weights of classes by which nothing can be learnt. */
export function assertWeights(weights: readonly number[]): readonly number[] {
  if (
    weights.every((weight) =>
      typeof weight === "number" && Number.isFinite(weight) && weight >= 0
    ) &&
    weights.some((weight) => weight > 0)
  ) return weights;
  throw new GapcamError(
    "invalid-argument",
    `Cannot weight classes by ${weights.slice(0, 20).join(", ")}: expected ` +
      "numbers from 0 that do not sum to zero",
  );
}
