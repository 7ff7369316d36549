import { GapcamError } from "../error.ts";
import type { StateDict } from "../host_tensor.ts";

/** A loss above this is taken for the end of training. */
export const LARGEST_LOSS = 1000;

/**
 * Finds the tensor with the largest value; one that is not finite counts as
 * larger than all others.
 *
 * @returns The tensor's name and the value's size; undefined without tensors.
 *
 * @example
 * ```ts
 * import { largestValue } from "./divergence.ts";
 *
 * const largest = largestValue(new Map([
 *   ["first.weight", { shape: [2], data: new Float32Array([1, -3]) }],
 *   ["second.weight", { shape: [1], data: new Float32Array([2]) }],
 * ]));
 * if (largest?.name !== "first.weight" || largest.size !== 3) throw new Error();
 * ```
 */
export function largestValue(
  state: StateDict,
): { name: string; size: number } | undefined {
  let largest: { name: string; size: number } | undefined;
  for (const [name, { data }] of state) {
    let size = 0;
    for (const value of data) {
      const absolute = Math.abs(value);
      if (Number.isNaN(absolute)) {
        size = NaN;
        break;
      }
      if (absolute > size) size = absolute;
    }
    if (!largest || rank(size) > rank(largest.size)) largest = { name, size };
  }
  return largest;
}

/**
 * The error that ends a run whose loss is not finite or too large.
 *
 * @param loss The loss.
 * @param options Where it was seen, both counted from 1, and the tensors of
 * that step.
 */
export function divergenceError(
  loss: number,
  options: {
    epoch: number;
    step: number;
    parameters: StateDict;
    gradients: StateDict;
  },
): GapcamError {
  const parts = [
    ["parameter", largestValue(options.parameters)],
    ["gradient", largestValue(options.gradients)],
  ] as const;
  const sizes = parts.map(([kind, largest]) =>
    largest
      ? `the largest ${kind} is ${format(largest.size)} in ${largest.name}`
      : `there is no ${kind}`
  );
  return new GapcamError(
    "diverged",
    `Cannot go on training: the loss is ${format(loss)} in epoch ` +
      `${options.epoch}, step ${options.step}, expected a finite number up ` +
      `to ${LARGEST_LOSS}; ${sizes.join(", ")}; try a smaller learning rate`,
  );
}

function rank(size: number): number {
  return Number.isNaN(size) ? Infinity : Math.min(size, Number.MAX_VALUE);
}

function format(value: number): string {
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return "infinite";
  return value >= 1e5 || value < 1e-3
    ? value.toExponential(2)
    : value.toPrecision(4);
}
