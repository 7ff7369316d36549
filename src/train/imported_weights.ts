import { GapcamError } from "../error.ts";
import { graphOf } from "../nn/graph_of.ts";
import type { Model } from "../nn/graph_of.ts";
import { initialise } from "../nn/parameters.ts";
import { vgg, type VggOptions } from "../models/vgg.ts";
import type { MappedVgg } from "../models/map_vgg_weights.ts";
import type { StateDict } from "../host_tensor.ts";
import { parseModel } from "../nn/parse_model.ts";
import { checkpointMetadata, noTotals } from "./checkpoint.ts";
import { type TrainingConfig, trainingConfig } from "./training_config.ts";
import {
  usualConventions,
  type WeightConventions,
} from "./usual_conventions.ts";

/** Options of {@linkcode importWeights}. */
export interface ImportOptions extends Partial<WeightConventions> {
  /** The model's name, such as `vgg16`, or its trunk as a list. */
  modelName: string;
  /** Class names; without them a trunk without a head stays one. */
  classes?: readonly string[];
  /** Name of the data set that the classes are of. Default: `imported`. */
  dataset?: string;
  /** Height and width of the images. Default: 224. */
  imageSize?: number;
  /** Seed of a fresh head. Default: 0. */
  seed?: number;
}

/** What a file did not say and nobody named. */
export interface ImportAssumption {
  /** Which of {@linkcode ImportOptions}. */
  of: "negativeSlope" | "mean" | "deviation" | "imageSize" | "classes";
  /** What was taken for it. */
  value: number | readonly number[] | readonly string[];
}

/** Foreign weights as a safetensors file of gapcam's holds them. */
export interface ImportedWeights {
  /** Tensors by name. */
  tensors: StateDict;
  /** Metadata: that of a checkpoint, or of a trunk. */
  metadata: Record<string, string>;
  /** Whether they are a whole network. A trunk is to start training from. */
  complete: boolean;
  /** What was assumed; a wrong assumption gives wrong logits and maps. */
  assumed: ImportAssumption[];
}

/** Stands in the metadata of a trunk where a checkpoint has `gapcam_version`. */
const TRUNK_KEY = "gapcam_trunk_version";

/**
 * Makes a checkpoint of foreign weights, or a trunk to start training from
 * where they have no head and no classes are named.
 *
 * What the file itself cannot say goes by its naming: torchvision's networks
 * have plain ReLU and images normalised by ImageNet's mean and deviation, the
 * notebook's a slope of 0.2 and 0.5 for both.
 *
 * @param mapped What {@linkcode mapVggWeights} gives.
 * @param options Names and conventions.
 * @throws {GapcamError} If there are more or fewer class names than the head
 * has classes, or means than channels.
 *
 * @example A head for two classes
 * ```ts
 * import { importWeights, initialise, mapVggWeights, vgg } from "@gapcam/gapcam";
 *
 * const foreign = initialise(vgg([4, "M", 8], { classes: 2 }), 0);
 * const imported = importWeights(mapVggWeights(foreign, [4, "M", 8]), {
 *   modelName: "4,M,8",
 *   classes: ["cat", "dog"],
 * });
 * if (!imported.complete) throw new Error();
 * ```
 */
export function importWeights(
  mapped: MappedVgg,
  options: ImportOptions,
): ImportedWeights {
  const { classes } = options;
  if (classes && mapped.classes && classes.length !== mapped.classes) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot name the classes: found ${classes.length} names, expected ` +
        `${mapped.classes}, as many as the head decides between`,
    );
  }
  const count = mapped.classes ?? classes?.length;
  const usual = usualConventions(mapped.naming, mapped.inputChannels);
  const {
    negativeSlope = usual.negativeSlope,
    mean = usual.mean,
    deviation = usual.deviation,
    imageSize = 224,
    interpolation,
    cropShare,
  } = options;
  for (const [name, values] of Object.entries({ mean, deviation })) {
    if (values.length === mapped.inputChannels) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot normalise images by a ${name} of ${values.length} values: ` +
        `expected ${mapped.inputChannels}, one a channel`,
    );
  }
  const shape: VggOptions = {
    classes: count ?? 1,
    inputChannels: mapped.inputChannels,
    batchNorm: mapped.batchNorm,
    negativeSlope,
  };
  const model = vgg(mapped.trunk, shape);
  const training = trainingConfig({
    ...{ imageSize, mean, deviation },
    ...(interpolation ? { interpolation } : {}),
    ...(cropShare === undefined ? {} : { cropShare }),
  });
  const { modelName } = options;
  const assumed = (["negativeSlope", "mean", "deviation"] as const)
    .filter((name) => options[name] === undefined)
    .map((of): ImportAssumption => ({ of, value: usual[of] }));
  if (count === undefined) {
    return {
      tensors: mapped.state,
      complete: false,
      metadata: weightsMetadata({ modelName, model, training }),
      assumed,
    };
  }
  const names = classes ??
    Array.from({ length: count }, (_, i) => `class ${i}`);
  if (options.imageSize === undefined) {
    assumed.push({ of: "imageSize", value: imageSize });
  }
  if (!classes) assumed.push({ of: "classes", value: names });
  const tensors: StateDict = new Map([
    ...initialise(model, options.seed ?? 0),
    ...mapped.state,
  ]);
  const metadata = checkpointMetadata({
    modelName,
    model,
    classes: [...names],
    dataset: { name: options.dataset ?? "imported" },
    training,
    progress: {
      epoch: 0,
      batch: 0,
      step: 0,
      epochTotals: noTotals(),
      intervalTotals: noTotals(),
    },
    parameters: tensors,
    optimiserState: new Map(),
  });
  return { tensors, metadata, complete: true, assumed };
}

/**
 * Describes weights that are no checkpoint: what {@linkcode describedWeights}
 * reads.
 */
export function weightsMetadata(
  { modelName, model, training }: {
    modelName: string;
    model: Model;
    training: TrainingConfig;
  },
): Record<string, string> {
  return {
    format: "pt",
    [TRUNK_KEY]: "1",
    model: JSON.stringify({ name: modelName, layers: model }),
    training: JSON.stringify(training),
  };
}

/** A network as its weights' file describes it. */
export interface DescribedWeights extends WeightConventions {
  /** The model's name, such as `vgg16`. */
  modelName: string;
  /** The model. */
  model: Model;
  /** Whether it has batch normalisation. */
  batchNorm: boolean;
  /** Height and width of its images. */
  imageSize: number;
  /** Class names in the order of the logits; undefined where none are said. */
  classes: string[] | undefined;
}

/**
 * Reads from a weights file's metadata what its network is and expects.
 *
 * @param metadata Metadata of a safetensors file.
 * @returns The description; undefined where the file is not one of gapcam's.
 * @throws {GapcamError} If it is one of gapcam's and damaged.
 *
 * @example Plain ReLU, as torchvision has it
 * ```ts
 * import { describedWeights } from "./imported_weights.ts";
 * import { importWeights, initialise, mapVggWeights, vgg } from "@gapcam/gapcam";
 *
 * const weights = initialise(vgg([4], { classes: 2 }), 0);
 * const mapped = mapVggWeights(weights, [4], { head: "new" });
 * const { metadata } = importWeights(mapped, { modelName: "4", negativeSlope: 0 });
 * if (describedWeights(metadata)?.negativeSlope !== 0) throw new Error();
 * ```
 */
export function describedWeights(
  metadata: Readonly<Record<string, string>>,
): DescribedWeights | undefined {
  if ((metadata.gapcam_version ?? metadata[TRUNK_KEY]) === undefined) {
    return undefined;
  }
  try {
    const { name, layers } = JSON.parse(metadata.model ?? "");
    const model = parseModel(layers);
    const training = JSON.parse(metadata.training ?? "");
    const config = trainingConfig({
      mean: numbers(training.mean),
      deviation: numbers(training.deviation),
      imageSize: training.imageSize,
      interpolation: training.interpolation,
      cropShare: training.cropShare,
    });
    const { mean, deviation, imageSize, interpolation, cropShare } = config;
    const classes = JSON.parse(metadata.classes ?? "null");
    const all = graphOf(model).nodes.map(({ layer }) => layer);
    const activation = all.find((layer) => layer.kind === "leakyRelu");
    return {
      modelName: typeof name === "string" ? name : "custom",
      model,
      mean,
      deviation,
      imageSize,
      interpolation,
      cropShare,
      negativeSlope: activation?.negativeSlope ?? 1,
      batchNorm: all.some((layer) => layer.kind === "batchNorm2d"),
      classes: isNames(classes) ? classes : undefined,
    };
  } catch (error) {
    throw new GapcamError(
      "bad-data",
      "Cannot read the weights' description: it is damaged",
      { cause: error },
    );
  }
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) &&
    value.every((one) => typeof one === "string");
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) &&
      value.every((one) => typeof one === "number")
    ? value
    : [];
}
