/**
 * What a state dict cannot say of its network, in a file beside it.
 *
 * @module
 */

import { exists } from "../src/_files.ts";
import { writeAtomically } from "../src/_write_atomically.ts";
import { GapcamError } from "../src/error.ts";
import {
  type TrainingConfig,
  trainingConfig,
} from "../src/train/training_config.ts";

/** What a network expects, and what it calls its classes. */
export interface BesideWeights extends
  Partial<
    Pick<
      TrainingConfig,
      "imageSize" | "mean" | "deviation" | "interpolation" | "cropShare"
    >
  > {
  classes?: string[];
}

/** The file beside a file of weights. */
function pathOf(weights: string): string {
  return `${weights}.json`;
}

/** Writes what a network expects beside its weights; returns the file. */
export async function writeBeside(
  weights: string,
  what: BesideWeights,
): Promise<string> {
  const text = `${JSON.stringify(what, null, 2)}\n`;
  const path = pathOf(weights);
  await writeAtomically(path, [new TextEncoder().encode(text)]);
  return path;
}

/**
 * Reads what {@linkcode writeBeside} wrote.
 *
 * @throws {GapcamError} If the file is there, but damaged.
 */
export function besideOf(weights: string): BesideWeights {
  const path = pathOf(weights);
  if (!exists(path)) return {};
  try {
    const { classes, ...found } = JSON.parse(Deno.readTextFileSync(path));
    const { imageSize, mean, deviation, interpolation, cropShare } =
      trainingConfig(found);
    const names = Array.isArray(classes) &&
      classes.every((name) => typeof name === "string");
    return {
      ...{ imageSize, mean, deviation, interpolation, cropShare },
      ...(names ? { classes } : {}),
    };
  } catch (error) {
    throw new GapcamError(
      "bad-data",
      `Cannot read ${path}, which says what ${weights} expects: ${
        error instanceof Error ? error.message : error
      }; remove it, or write it anew with deno task export`,
      { cause: error },
    );
  }
}
