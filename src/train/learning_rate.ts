import { GapcamError } from "../error.ts";
import {
  cosineRate,
  oneCycleRate,
  stepRate,
  warmUpRate,
} from "../nn/schedule.ts";

/** How the learning rate changes while training. */
export type ScheduleName =
  | "constant"
  | "step"
  | "cosine"
  | "one-cycle"
  | "warm-up";

/** Every {@linkcode ScheduleName}. */
export const SCHEDULES: readonly ScheduleName[] = [
  "constant",
  "step",
  "cosine",
  "one-cycle",
  "warm-up",
];

/**
 * The learning rate of a step.
 *
 * @param schedule `constant`; `step`: a tenth after each third of the run;
 * `cosine`: half a cosine down to 0; `one-cycle`: up over 30 % of the run, then
 * down; `warm-up`: from a third up over the first epoch, then constant.
 * @param step The step's number in the whole run, from 0.
 * @param options `learningRate`: the greatest rate; how many steps an epoch
 * has, and how many epochs the run.
 * @throws {GapcamError} If the schedule is not known.
 *
 * @example
 * ```ts
 * import { learningRateAt } from "./learning_rate.ts";
 *
 * const run = { learningRate: 0.1, stepsPerEpoch: 10, epochs: 3 };
 * if (learningRateAt("constant", 29, run) !== 0.1) throw new Error("unexpected");
 * if (learningRateAt("cosine", 0, run) !== 0.1) throw new Error("unexpected");
 * ```
 */
export function learningRateAt(
  schedule: ScheduleName,
  step: number,
  options: { learningRate: number; stepsPerEpoch: number; epochs: number },
): number {
  const { learningRate, stepsPerEpoch } = options;
  const ticks = Math.max(1, stepsPerEpoch * options.epochs);
  switch (schedule) {
    case "constant":
      return learningRate;
    case "step":
      return stepRate(learningRate, step, { size: Math.ceil(ticks / 3) });
    case "cosine":
      return cosineRate(learningRate, step, { ticks });
    case "one-cycle":
      return oneCycleRate(learningRate, step, { ticks });
    case "warm-up":
      return warmUpRate(learningRate, step, { ticks: stepsPerEpoch });
    default:
      throw new GapcamError(
        "invalid-argument",
        `Cannot schedule the learning rate by ${JSON.stringify(schedule)}: ` +
          `expected one of ${SCHEDULES.join(", ")}`,
      );
  }
}
