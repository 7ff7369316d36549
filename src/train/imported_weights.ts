import { GapcamError } from "../error.ts";
import { graphOf } from "../nn/graph_of.ts";
import type { Model } from "../nn/graph_of.ts";
import { initialise } from "../nn/parameters.ts";
import { vgg, type VggOptions } from "../nn/vgg.ts";
import type { MappedVgg, VggNaming } from "../weights/map_vgg_weights.ts";
import type { StateDict } from "../weights/state_dict.ts";
import { parseModel } from "../nn/parse_model.ts";
import { checkpointMetadata, noTotals } from "./checkpoint.ts";
import { trainingConfig } from "./training_config.ts";

/** What the network that weights belong to expects, beside its layers. */
export interface WeightConventions {
  /** Slope of the leaky ReLU; 0 is ReLU. */
  negativeSlope: number;
  /** Mean of each channel, of pixels scaled to [0, 1]. */
  mean: number[];
  /** Standard deviation of each channel. */
  deviation: number[];
}

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

/** Foreign weights as a safetensors file of gapcam's holds them. */
export interface ImportedWeights {
  /** Tensors by name. */
  tensors: StateDict;
  /** Metadata: that of a checkpoint, or of a trunk. */
  metadata: Record<string, string>;
  /** Whether they are a whole network. A trunk is for `--init`. */
  complete: boolean;
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
  const { negativeSlope, mean, deviation } = {
    ...usualConventions(mapped.naming, mapped.inputChannels),
    ...definedOf(options),
  };
  for (const [name, values] of Object.entries({ mean, deviation })) {
    if (values.length === mapped.inputChannels) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot normalise images by ${values.length} numbers of ${name}: ` +
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
    imageSize: options.imageSize ?? 224,
    mean,
    deviation,
  });
  if (count === undefined) {
    return {
      tensors: mapped.state,
      complete: false,
      metadata: {
        format: "pt",
        [TRUNK_KEY]: "1",
        model: JSON.stringify({ name: options.modelName, layers: model }),
        training: JSON.stringify(training),
      },
    };
  }
  const tensors: StateDict = new Map([
    ...initialise(model, options.seed ?? 0),
    ...mapped.state,
  ]);
  const metadata = checkpointMetadata({
    modelName: options.modelName,
    model,
    classes: [
      ...classes ?? Array.from({ length: count }, (_, i) => `class ${i}`),
    ],
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
  return { tensors, metadata, complete: true };
}

/**
 * Reads from a weights file's metadata what its network expects.
 *
 * @param metadata Metadata of a safetensors file.
 * @returns The conventions; undefined where the file is not one of gapcam's.
 * @throws {GapcamError} If it is one of gapcam's and damaged.
 *
 * @example Plain ReLU, as torchvision has it
 * ```ts
 * import {
 *   importWeights, initialise, mapVggWeights, vgg, weightConventions,
 * } from "@gapcam/gapcam";
 *
 * const weights = initialise(vgg([4], { classes: 2 }), 0);
 * const mapped = mapVggWeights(weights, [4], { head: "new" });
 * const { metadata } = importWeights(mapped, { modelName: "4", negativeSlope: 0 });
 * if (weightConventions(metadata)?.negativeSlope !== 0) throw new Error();
 * ```
 */
export function weightConventions(
  metadata: Readonly<Record<string, string>>,
): (WeightConventions & { batchNorm: boolean }) | undefined {
  if ((metadata.gapcam_version ?? metadata[TRUNK_KEY]) === undefined) {
    return undefined;
  }
  let layers: Model;
  let training: { mean?: unknown; deviation?: unknown };
  try {
    layers = parseModel(JSON.parse(metadata.model ?? "").layers);
    training = JSON.parse(metadata.training ?? "");
  } catch (error) {
    throw new GapcamError(
      "bad-data",
      "Cannot read the weights' description: it is damaged",
      { cause: error },
    );
  }
  const { mean, deviation } = trainingConfig({
    mean: numbers(training.mean),
    deviation: numbers(training.deviation),
  });
  const all = graphOf(layers).nodes.map(({ layer }) => layer);
  const activation = all.find((layer) => layer.kind === "leakyRelu");
  return {
    mean,
    deviation,
    negativeSlope: activation?.negativeSlope ?? 1,
    batchNorm: all.some((layer) => layer.kind === "batchNorm2d"),
  };
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) &&
      value.every((one) => typeof one === "number")
    ? value
    : [];
}

function usualConventions(
  naming: VggNaming,
  channels: number,
): WeightConventions {
  if (naming === "torchvision" && channels === 3) {
    return {
      negativeSlope: 0,
      mean: [0.485, 0.456, 0.406],
      deviation: [0.229, 0.224, 0.225],
    };
  }
  const half = Array<number>(channels).fill(0.5);
  return {
    negativeSlope: naming === "torchvision" ? 0 : 0.2,
    mean: half,
    deviation: half,
  };
}

function definedOf(options: ImportOptions): Partial<WeightConventions> {
  const { negativeSlope, mean, deviation } = options;
  return Object.fromEntries(
    Object.entries({ negativeSlope, mean, deviation }).filter(([, value]) =>
      value !== undefined
    ),
  );
}
