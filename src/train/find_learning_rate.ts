import { GapcamError } from "../error.ts";
import type { Dataset } from "../data/dataset.ts";
import { Network } from "../nn/network.ts";
import {
  configFor,
  trainingLoader,
  trainingProgram,
} from "./_training_parts.ts";
import type { TrainingConfig } from "./training_config.ts";

/** How much of the mean loss stays with each step, as in fastai. */
const SMOOTHING = 0.98;

/** Losses this many times the best are the end of use, as in fastai. */
const TOO_MUCH = 4;

/** Fewer points say nothing. */
const FEWEST_POINTS = 10;

/** Options of {@linkcode findLearningRate}. */
export interface FindLearningRateOptions {
  /** How to train; its learning rate and its schedule do not count. */
  config: TrainingConfig;
  /** Smallest rate. Default: 1e-7. */
  least?: number;
  /** Greatest rate. Default: 10. */
  greatest?: number;
  /** Steps from the smallest to the greatest, at least 20. Default: 100. */
  steps?: number;
  /** Aborting stops after the step under way and throws the signal's reason. */
  signal?: AbortSignal;
  /** Called after every step with the steps done; waited for. */
  onStep?: (done: number) => unknown;
}

/** What {@linkcode findLearningRate} came to. */
export interface LearningRateCurve {
  /** The rate of each step and the running mean of losses until then. */
  points: { rate: number; loss: number }[];
  /** A rate in the valley: a third to a half down the longest descent. */
  suggestion: number;
}

/**
 * Tries learning rates, each step a greater one, on a copy of a network (Smith,
 * "Cyclical learning rates", 2017), and suggests one by where the loss falls, as
 * fastai's `lr_find` does. It ends where the loss is four times the best. The
 * network stays as it is.
 *
 * @param network Where training would start.
 * @param dataset On what.
 * @param options How.
 * @throws {GapcamError} If the parts do not fit each other, or the loss grows or
 * is no number before anything can be said.
 *
 * @example
 * ```ts
 * import {
 *   findLearningRate, Network, openDevice, shapesDataset, trainingConfig, vgg,
 * } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
 * const { points, suggestion } = await findLearningRate(
 *   network,
 *   shapesDataset("train", { size: 16, length: 40 }),
 *   { config: trainingConfig({ imageSize: 16, batchSize: 20 }), steps: 40 },
 * );
 * if (!(suggestion > 1e-7 && suggestion < 10)) throw new Error(`${suggestion}`);
 * if (points[0]!.rate !== 1e-7) throw new Error("expected the smallest first");
 * ```
 */
export async function findLearningRate(
  network: Network,
  dataset: Dataset,
  options: FindLearningRateOptions,
): Promise<LearningRateCurve> {
  const { least = 1e-7, greatest = 10, steps = 100, signal } = options;
  assertRange(least, greatest, steps);
  const config = configFor(dataset, options.config);
  const { device, model } = network;
  using copy = new Network(device, model, { state: network.state() });
  const loader = trainingLoader(copy, dataset, config);
  using program = await trainingProgram(copy, dataset, config);
  const points: LearningRateCurve["points"] = [];
  let mean = 0;
  let best = Infinity;
  search: for (let epoch = 0;; epoch++) {
    for await (const batch of loader.epoch(epoch)) {
      signal?.throwIfAborted();
      const done = points.length;
      const rate = least * (greatest / least) ** (done / (steps - 1));
      await program.step(batch.images, batch.targets ?? batch.labels, {
        learningRate: rate,
      });
      const { lossSum, steps: batches } = program.metrics({ reset: true });
      mean = SMOOTHING * mean + (1 - SMOOTHING) * lossSum / batches;
      // The first steps would count too little.
      const loss = mean / (1 - SMOOTHING ** (done + 1));
      if (!Number.isFinite(loss) || loss > TOO_MUCH * best) break search;
      best = Math.min(best, loss);
      points.push({ rate, loss });
      await options.onStep?.(points.length);
      if (points.length === steps) break search;
    }
  }
  return { points, suggestion: suggestionOf(points, steps) };
}

function suggestionOf(
  points: LearningRateCurve["points"],
  steps: number,
): number {
  // As fastai: the first steps warm the mean up, the last ones have diverged.
  const useful = points.slice(Math.floor(steps / 10), -5);
  if (useful.length < FEWEST_POINTS) {
    throw new GapcamError(
      "diverged",
      "Cannot find a learning rate: the loss is no number or has grown " +
        `${TOO_MUCH} times after ${points.length} steps, expected at least ` +
        `${Math.floor(steps / 10) + 5 + FEWEST_POINTS}; begin with smaller ` +
        "rates, or look at the data and at how images are normalised",
    );
  }
  return useful[valley(useful.map(({ loss }) => loss))]!.rate;
}

/**
 * Where the valley is: a third to a half down the longest falling sequence, as
 * fastai's suggestion `valley`.
 */
export function valley(losses: readonly number[]): number {
  const lengths = losses.map(() => 1);
  let start = 0;
  let end = 0;
  for (let i = 1; i < losses.length; i++) {
    for (let j = 0; j < i; j++) {
      if (losses[i]! < losses[j]! && lengths[i]! < lengths[j]! + 1) {
        lengths[i] = lengths[j]! + 1;
      }
      if (lengths[end]! < lengths[i]!) {
        end = i;
        start = end - lengths[end]!;
      }
    }
  }
  const third = (end - start) / 3;
  return Math.max(0, start + Math.floor(third) + Math.floor(third / 2));
}

function assertRange(least: number, greatest: number, steps: number): void {
  if (
    least > 0 && Number.isFinite(greatest) && greatest > least &&
    Number.isSafeInteger(steps) && steps >= 20
  ) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot try learning rates from ${least} to ${greatest} in ${steps} ` +
      "steps: expected two numbers above 0, the second greater, and a whole " +
      "number of at least 20 steps",
  );
}
