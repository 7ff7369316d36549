/**
 * Networks compiled for a device that is only described.
 *
 * @module
 */

import type { Device } from "../../src/device/device.ts";
import type { ProgramStep } from "../../src/device/program_options.ts";
import { MODELS } from "../../src/models/find_model.ts";
import { MODEL_NAMES, parseModel } from "../../src/models/model_config.ts";
import { vgg } from "../../src/models/vgg.ts";
import { InferenceProgram } from "../../src/nn/inference_program.ts";
import type { Layer } from "../../src/nn/layers/layer.ts";
import { Network } from "../../src/nn/network.ts";
import { adam } from "../../src/nn/optimiser.ts";
import { parametersOf } from "../../src/nn/parameters.ts";
import { TrainingProgram } from "../../src/nn/training_program.ts";
import { UsageError } from "../_flags.ts";
import { chainModel, CHAINS } from "./_chains.ts";

/** One network to compile. */
export interface Job {
  model: string;
  size: number;
  batch: number;
}

/** The network that a name of `--models` means. */
export function modelOf(
  name: string,
  { classes }: { classes?: number } = {},
): Layer {
  if (Object.hasOwn(MODELS, name)) {
    return MODELS[name]!.build({ classes: classes ?? 1000 });
  }
  if (Object.hasOwn(CHAINS, name)) return chainModel(CHAINS[name]!);
  if (MODEL_NAMES.includes(name) || /^[\dM,]+$/.test(name)) {
    return vgg(parseModel(name), { classes: classes ?? 10 });
  }
  const names = [MODEL_NAMES, Object.keys(CHAINS), Object.keys(MODELS)].flat();
  throw new UsageError(
    `--models does not know ${JSON.stringify(name)}; choose among ` +
      names.join(", "),
  );
}

/** The steps of a training step or of inference. Values do not matter: nothing runs. */
export async function describedSteps(
  device: Device<"cuda">,
  { model, size, batch: batchSize }: Job,
  { training }: { training: boolean },
): Promise<ProgramStep[]> {
  const described = modelOf(model);
  const state = new Map(
    parametersOf(described).map(({ name, shape }) => {
      const length = shape.reduce((product, one) => product * one, 1);
      return [name, { shape, data: new Float32Array(length) }];
    }),
  );
  using network = new Network(device, described, { state });
  const image = { height: size, width: size, channels: 3 };
  using program = training
    ? await TrainingProgram.compile(network, {
      ...{ batchSize, image, optimiser: adam() },
    })
    : await InferenceProgram.compile(network, { batchSize, image });
  return program.describe().steps;
}
