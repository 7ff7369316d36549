import { trainingConfig, writeCheckpoint } from "../../mod.ts";
import { imagenetClasses, MODELS, PRETRAINED } from "../../src/models/mod.ts";
import { initialise } from "../../src/nn/parameters.ts";
import { noTotals } from "../../src/train/checkpoint.ts";

const NAME = "efficientnet-lite0";

/** A network of the pretrained one's form, with weights of chance, where it would be. */
export async function writeUntrained(folder: string): Promise<string> {
  const { model: modelName } = PRETRAINED[NAME]!;
  const { build, mean, deviation } = MODELS[modelName]!;
  const model = build({ classes: 1000 });
  await Deno.mkdir(`${folder}/models`, { recursive: true });
  const path = `${folder}/models/${NAME}.safetensors`;
  await writeCheckpoint(path, {
    modelName,
    model,
    classes: imagenetClasses(),
    dataset: { name: "imagenet" },
    training: trainingConfig({
      mean: [...mean],
      deviation: [...deviation],
      interpolation: "bicubic",
      cropShare: 0.875,
    }),
    progress: {
      ...{ epoch: 0, batch: 0, step: 0 },
      ...{ epochTotals: noTotals(), intervalTotals: noTotals() },
    },
    parameters: initialise(model, 1),
    optimiserState: new Map(),
  });
  return path;
}
