import { trainingConfig, writeCheckpoint } from "../../mod.ts";
import { noTotals } from "../../src/train/checkpoint.ts";
import { redInput, redModel, redState } from "../explain/_known_map.ts";

/** Writes a network whose map of `red` is how red a picture is. */
export async function writeRed(
  path: string,
  classes = ["red", "other"],
): Promise<void> {
  await writeCheckpoint(path, {
    modelName: "red",
    model: redModel,
    classes,
    dataset: { name: "none" },
    training: trainingConfig({
      ...redInput,
      imageSize: 28,
      interpolation: "bicubic",
      cropShare: 0.875,
    }),
    progress: {
      ...{ epoch: 1, batch: 0, step: 1 },
      ...{ epochTotals: noTotals(), intervalTotals: noTotals() },
    },
    parameters: redState,
    optimiserState: new Map(),
  });
}
