import type { Dataset } from "../../data/dataset.ts";
import { GapcamError } from "../../error.ts";
import type { FloatMap } from "../../image/float_map.ts";
import type { Region } from "../../image/fit_image.ts";
import type { ImageOptions } from "../../nn/network.ts";
import type { ExamMethod } from "./exam_method.ts";
import { BOX_MEASURES, MEASURE_NAMES, type MeasureName } from "./measures.ts";

/** An examined image with its maps. */
export interface ExaminedImage {
  /** Its number in the data set. */
  readonly index: number;
  /** Its class. */
  readonly label: number;
  /** The network's answer. */
  readonly predicted: number;
  /** The probability that it gives it. */
  readonly probability: number;
  /** u8 HWC. */
  readonly pixels: Uint8Array;
  /** The answer, and each class whose place is known. */
  readonly explained: readonly {
    readonly classIndex: number;
    readonly boxes: readonly Region[];
    /** One a method, in their order; unscaled. */
    readonly maps: readonly FloatMap[];
  }[];
}

/** Options of `examine()`. */
export interface ExamineOptions
  extends Pick<ImageOptions, "inputSize" | "mean" | "deviation"> {
  /** Which methods sit the exam. */
  methods: readonly ExamMethod[];
  /** What is measured. Default: all that the data set allows. */
  measures?: readonly MeasureName[];
  /** How many of the data set's images, the first. Default: all. */
  images?: number;
  /** Images at once, and changed inputs at once. Default: 16. */
  batchSize?: number;
  /** Insertion and deletion: parts that the places are divided into. Default: 20. */
  steps?: number;
  /** ROAD: which shares of the places stay, in per cent. Default: 20, 40, 60, 80. */
  percentiles?: readonly number[];
  /** ROAD: standard deviation of the noise, after normalisation. Default: 0.01. */
  noise?: number;
  /** Pointing game: pixels of the image beside a box that still hit. Default: 0. */
  tolerance?: number;
  /** Randomisation: how many of the images, the first. Default: 16. */
  randomisedImages?: number;
  /** Randomisation: networks from a random head to random all. Default: 5. */
  stages?: number;
  /** Drives ROAD's noise and the random weights. Default: 0. */
  seed?: number;
  /** Whether methods that cannot explain the network are left out. Default: false. */
  leaveOut?: boolean;
  /** Aborting stops after the batch under way and throws the signal's reason. */
  signal?: AbortSignal;
  /** Called after each step, with the share that is done. */
  onProgress?: (share: number) => unknown;
  /** Called with each image and its maps; waited for. */
  onImage?: (image: ExaminedImage) => unknown;
}

/** Options with all that was left out. */
export type ExamineChoice =
  & Required<
    Omit<
      ExamineOptions,
      | "inputSize"
      | "mean"
      | "deviation"
      | "signal"
      | "onProgress"
      | "onImage"
      | "measures"
    >
  >
  & { measures: ReadonlySet<MeasureName> };

/**
 * Checks options against a data set and fills in what was left out.
 *
 * @throws {GapcamError} If one is out of range, two methods are called the same,
 * or the data set does not say what a measure asks for.
 */
export function examineChoice(
  dataset: Dataset,
  options: ExamineOptions,
): ExamineChoice {
  const { images = dataset.length, methods } = options;
  if (!(Number.isSafeInteger(images) && images >= 1)) {
    refuse(`${images} images`, "a whole number from 1");
  }
  if (images > dataset.length) {
    refuse(
      `${images} images asked for`,
      `at most ${dataset.length}, which ${dataset.name} (${dataset.split}) has`,
    );
  }
  const choice: ExamineChoice = {
    methods,
    images,
    measures: new Set(measuresOf(dataset, options.measures)),
    batchSize: options.batchSize ?? 16,
    steps: options.steps ?? 20,
    percentiles: options.percentiles ?? [20, 40, 60, 80],
    noise: options.noise ?? 0.01,
    tolerance: options.tolerance ?? 0,
    randomisedImages: options.randomisedImages ?? 16,
    stages: options.stages ?? 5,
    seed: options.seed ?? 0,
    leaveOut: options.leaveOut ?? false,
  };
  for (
    const [name, least] of [
      ["batchSize", 1],
      ["steps", 1],
      ["randomisedImages", 1],
      ["stages", 2],
    ] as const
  ) {
    const value = choice[name];
    if (Number.isSafeInteger(value) && value >= least) continue;
    refuse(`${name} ${value}`, `a whole number from ${least}`);
  }
  for (const name of ["noise", "tolerance"] as const) {
    const value = choice[name];
    if (Number.isFinite(value) && value >= 0) continue;
    refuse(`${name} ${value}`, "a number from 0");
  }
  const { percentiles } = choice;
  if (percentiles.length === 0 || !percentiles.every((p) => p > 0 && p < 100)) {
    refuse(
      `percentiles [${percentiles.join(", ")}]`,
      "numbers between 0 and 100",
    );
  }
  const names = methods.map(({ name }) => name);
  if (names.length === 0) refuse("no method", "at least one");
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) refuse(`two methods called ${twice}`, "one");
  return choice;
}

function measuresOf(
  dataset: Dataset,
  asked: readonly MeasureName[] | undefined,
): readonly MeasureName[] {
  if (dataset.boxes) return asked ?? MEASURE_NAMES;
  const blind = asked?.find((name) => BOX_MEASURES.includes(name));
  if (blind === undefined) {
    return asked ?? MEASURE_NAMES.filter((one) => !BOX_MEASURES.includes(one));
  }
  throw new GapcamError(
    "unsupported",
    `Cannot measure ${blind} on ${dataset.name}: found no boxes, expected a ` +
      "data set that says where its classes lie; take mosaics of it",
  );
}

function refuse(found: string, expected: string): never {
  throw new GapcamError(
    "invalid-argument",
    `Cannot examine methods: found ${found}, expected ${expected}`,
  );
}
