/**
 * Weights that a user names, from whatever wrote them.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import { datasetFolder, type DatasetName } from "../src/data/open_dataset.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { graphOf, type Model } from "../src/nn/graph_of.ts";
import { leastImageSize } from "../src/nn/output_shapes.ts";
import { AVERAGE_PREFIX, OPTIMISER_PREFIX } from "../src/train/checkpoint.ts";
import {
  type DescribedWeights,
  describedWeights,
  type ImportAssumption,
} from "../src/train/imported_weights.ts";
import {
  usualConventions,
  type WeightConventions,
} from "../src/train/usual_conventions.ts";
import { MODELS } from "../src/models/find_model.ts";
import { parseModel } from "../src/models/model_config.ts";
import {
  type RecognisedModel,
  recogniseModel,
} from "../src/models/recognise_model.ts";
import { vggFit } from "../src/models/map_vgg_weights.ts";
import { readWeights, type WeightsFile } from "../src/weights/read_weights.ts";
import { recogniseVgg } from "../src/models/recognise_vgg.ts";
import { chosenRun, shownPath } from "./_runs.ts";

/** A file of weights. */
export interface NamedWeights extends WeightsFile {
  path: string;
  /** What it says of its network; undefined where gapcam did not write it. */
  described: DescribedWeights | undefined;
}

/**
 * Opens the weights that a user names: a file, a run's folder or a run's name.
 *
 * @param architecture What is wanted of a file with several networks.
 */
export async function openNamedWeights(
  name: string,
  architecture: Parameters<typeof vggFit>[0],
): Promise<NamedWeights> {
  const { path, file } = await chosenRun(name, {
    load: async (path) => ({
      path,
      file: await readWeights(path, { fit: vggFit(architecture) }),
    }),
  });
  const described = describedWeights(file.metadata);
  if (described) {
    for (const key of file.tensors.keys()) {
      if (key.startsWith(OPTIMISER_PREFIX)) file.tensors.delete(key);
      // What a run averages is what it comes to.
      if (!key.startsWith(AVERAGE_PREFIX)) continue;
      const name = key.slice(AVERAGE_PREFIX.length);
      file.tensors.set(name, file.tensors.get(key)!);
      file.tensors.delete(key);
    }
  }
  return { ...file, path, described };
}

/** What training from weights begins with. */
export interface StartWeights extends WeightConventions {
  weights: NamedWeights;
  /** The weights' own model; undefined where it cannot be told. */
  modelName: string | undefined;
  /** The same, with its head; undefined where the weights do not describe it. */
  model: Model | undefined;
  batchNorm: boolean | undefined;
  /** Channels of the images that the weights are for. */
  inputChannels: number | undefined;
  /** Height and width of those images; undefined where they do not say. */
  imageSize?: number;
  /** What was assumed, one line each. */
  assumed: string[];
}

/** Opens weights to start from; `modelName` is what flags name. */
export async function openStart(
  init: string,
  modelName: string | undefined,
): Promise<StartWeights | undefined> {
  const trunk = modelName === undefined || Object.hasOwn(MODELS, modelName)
    ? undefined
    : parseModel(modelName);
  const weights = await openNamedWeights(init, trunk);
  const { described } = weights;
  if (described) {
    const first = graphOf(described.model).nodes.map(({ layer }) => layer)
      .find((layer) => layer.kind === "conv2d");
    return {
      ...described,
      weights,
      inputChannels: first?.inputChannels,
      assumed: [],
    };
  }
  const known = knownStart(weights, modelName);
  if (known) return known;
  const seen = recogniseVgg(weights.tensors);
  const naming = seen?.naming ?? "other";
  const usual = usualConventions(naming, seen?.inputChannels ?? 3);
  return {
    weights,
    ...usual,
    modelName: seen?.name?.replace(/_bn$/, "") ?? seen?.trunk.join(","),
    model: undefined,
    batchNorm: seen?.batchNorm,
    inputChannels: seen?.inputChannels,
    assumed: [
      ...(["negativeSlope", "mean", "deviation"] as const).map((of) =>
        assumedText({ of, value: usual[of] })
      ),
      "If that is wrong, say it to deno task import with --slope, --mean and " +
      "--deviation, and start from what it writes",
    ],
  };
}

/** Weights of a network that is known by name and is no VGG of gapcam's. */
function knownStart(
  weights: NamedWeights,
  modelName: string | undefined,
): StartWeights | undefined {
  const asked = modelName !== undefined && Object.hasOwn(MODELS, modelName);
  const { size } = weights.tensors;
  if (!asked) {
    const seen = recogniseVgg(weights.tensors);
    if (modelName !== undefined || (seen && 2 * seen.tensors >= size)) {
      return undefined;
    }
  }
  let found: RecognisedModel;
  try {
    found = recogniseModel(
      new Map([...weights.tensors].map(([name, { shape }]) => [name, shape])),
      modelName,
    );
  } catch (error) {
    if (error instanceof GapcamError && error.code === "not-found") {
      return undefined;
    }
    throw error;
  }
  const { name, known, model } = found;
  const mean = [...known.mean];
  const deviation = [...known.deviation];
  return {
    weights,
    modelName: name,
    model,
    negativeSlope: 0,
    mean,
    deviation,
    batchNorm: undefined,
    imageSize: known.imageSize,
    inputChannels: graphOf(model).nodes.map(({ layer }) => layer)
      .find((layer) => layer.kind === "conv2d")?.inputChannels,
    assumed: [
      assumedText({ of: "mean", value: mean }),
      assumedText({ of: "deviation", value: deviation }),
    ],
  };
}

/** Which flag of `deno task import` says what was assumed. */
const FLAGS: Readonly<Record<ImportAssumption["of"], [string, string]>> = {
  negativeSlope: ["slope", "--slope"],
  mean: ["mean", "--mean"],
  deviation: ["standard deviation", "--deviation"],
  imageSize: ["image size", "--image-size"],
  classes: ["class names", "--classes or --dataset"],
};

/** What was assumed, and how to say otherwise. */
export function assumedLine({ of, value }: ImportAssumption): string {
  return `${assumedText({ of, value })} (${FLAGS[of][1]} says otherwise)`;
}

function assumedText({ of, value }: ImportAssumption): string {
  return `Assumed: ${FLAGS[of][0]} ${valueText(of, value)}`;
}

function valueText(of: ImportAssumption["of"], value: unknown): string {
  if (of === "negativeSlope") {
    return value === 0 ? "0 of the ReLU" : `${value} of the leaky ReLU`;
  }
  if (!Array.isArray(value)) return String(value);
  return value.length <= 4
    ? value.join(", ")
    : `${value[0]} to ${value.at(-1)}`;
}

/** Data sets that a hint may name, with the side of their images. */
const HINTED: readonly [DatasetName, number, number][] = [
  ["stl10", 3, 96],
  ["cifar10", 3, 32],
  ["shapes", 3, 96],
  ["fashion-mnist", 1, 28],
  ["mnist", 1, 28],
];

/** Flags with which a model can be trained on a data set that is there. */
export function trainableHint(model: Model, channels: number): string {
  const [name, , side] =
    HINTED.find(([name, depth]) =>
      depth === channels && (name === "shapes" || datasetFolder(name))
    ) ?? [undefined, channels, 0];
  if (name === undefined) return " --dataset folder --data-dir FOLDER";
  const { height, width } = leastImageSize(model, channels);
  const least = Math.max(height, width);
  return ` --dataset ${name}` + (least > side ? ` --image-size ${least}` : "");
}

/**
 * Makes sure that images fit a model.
 *
 * @throws {GapcamError} If they are too small for its pools.
 */
export function refuseSmall(
  model: Model,
  { modelName, channels, imageSize }: {
    modelName: string;
    channels: number;
    imageSize: number;
  },
): void {
  const { height, width } = leastImageSize(model, channels);
  const least = Math.max(height, width);
  if (imageSize >= least) return;
  throw new GapcamError(
    "shape-mismatch",
    `Cannot train ${modelName} on images of ${imageSize} x ${imageSize}: its ` +
      `pools need ${least} x ${least}; pass --image-size ${least} or more`,
  );
}

/**
 * Makes sure that weights for colours do not start on grey images, nor the
 * reverse.
 *
 * @throws {GapcamError} If the channels differ.
 */
export function refuseChannels(start: StartWeights, images: Dataset): void {
  const { inputChannels } = start;
  if (inputChannels === undefined || inputChannels === images.channels) return;
  throw new GapcamError(
    "shape-mismatch",
    `Cannot start from ${shownPath(start.weights.path)}: it takes images of ` +
      `${inputChannels} channels and those of ${images.name} have ` +
      `${images.channels}; name other data with --dataset, such as ` +
      (inputChannels === 3 ? "cifar10 or shapes" : "fashion-mnist"),
  );
}
