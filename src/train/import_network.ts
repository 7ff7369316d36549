import { GapcamError } from "../error.ts";
import type { StateDict } from "../host_tensor.ts";
import { outputsOf } from "../nn/classifier_of.ts";
import type { Model } from "../nn/graph_of.ts";
import { checkpointMetadata, noTotals } from "./checkpoint.ts";
import type { ImportAssumption, ImportedWeights } from "./imported_weights.ts";
import { trainingConfig } from "./training_config.ts";
import type { WeightConventions } from "./usual_conventions.ts";

/** A network with its parameters, from whatever file. */
export interface ForeignNetwork {
  /** Its name, such as `resnet50`. */
  modelName: string;
  /** What it computes. */
  model: Model;
  /** Its parameters and running statistics. */
  state: StateDict;
  /** Channels of its images. */
  inputChannels: number;
}

/** What a {@linkcode ForeignNetwork} expects; what is left out is assumed. */
export interface NetworkConventions
  extends Partial<Omit<WeightConventions, "negativeSlope">> {
  /** Class names in the order of the logits. */
  classes?: readonly string[];
  /** Name of the data set that the classes are of. Default: `imported`. */
  dataset?: string;
  /** Height and width of the images. */
  imageSize?: number;
}

/**
 * Makes a checkpoint of a whole network.
 *
 * @param network The network.
 * @param given What is known of it.
 * @param usual What is assumed where nothing is known.
 * @throws {GapcamError} If there are more or fewer class names than classes, or
 * means than channels.
 */
export function importNetwork(
  network: ForeignNetwork,
  given: NetworkConventions,
  usual: { mean: number[]; deviation: number[]; imageSize: number },
): ImportedWeights {
  const { modelName, model, state, inputChannels } = network;
  const count = outputsOf(model);
  if (count === undefined) {
    throw new GapcamError(
      "unsupported",
      `Cannot import ${modelName}: it ends in no layer of one number a class`,
    );
  }
  if (given.classes && given.classes.length !== count) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot name the classes: found ${given.classes.length} names, expected ` +
        `${count}, as many as the head decides between`,
    );
  }
  const assumed: ImportAssumption[] = [];
  const chosen = <Name extends keyof typeof usual>(
    of: Name,
  ): (typeof usual)[Name] => {
    const value = given[of] as (typeof usual)[Name] | undefined;
    if (value !== undefined) return value;
    assumed.push({ of, value: usual[of] });
    return usual[of];
  };
  const mean = chosen("mean");
  const deviation = chosen("deviation");
  for (const [name, values] of Object.entries({ mean, deviation })) {
    if (values.length === inputChannels) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot normalise images by a ${name} of ${values.length} values: ` +
        `expected ${inputChannels}, one a channel`,
    );
  }
  const imageSize = chosen("imageSize");
  const classes = given.classes ??
    Array.from({ length: count }, (_, i) => `class ${i}`);
  if (!given.classes) assumed.push({ of: "classes", value: classes });
  const { interpolation, cropShare } = given;
  return {
    tensors: state,
    complete: true,
    assumed,
    metadata: checkpointMetadata({
      modelName,
      model,
      classes: [...classes],
      dataset: { name: given.dataset ?? "imported" },
      training: trainingConfig({
        ...{ imageSize, mean, deviation },
        ...(interpolation ? { interpolation } : {}),
        ...(cropShare === undefined ? {} : { cropShare }),
      }),
      progress: {
        epoch: 0,
        batch: 0,
        step: 0,
        epochTotals: noTotals(),
        intervalTotals: noTotals(),
      },
      parameters: state,
      optimiserState: new Map(),
    }),
  };
}
