import { GapcamError } from "../src/error.ts";
import type { TrainingConfig } from "../src/train/training_config.ts";

/**
 * `--class-weights`: `balanced`, or a number for each class.
 *
 * @throws {GapcamError} If a part is no number.
 */
export function parseWeights(
  text: string | undefined,
): TrainingConfig["classWeights"] | undefined {
  if (text === undefined || text === "balanced") return text;
  const parts = text.split(",").map((part) => part.trim());
  const wrong = parts.find((part) =>
    part === "" || !Number.isFinite(Number(part))
  );
  if (wrong === undefined) return parts.map(Number);
  throw new GapcamError(
    "invalid-argument",
    `Cannot read --class-weights ${text}: found ${JSON.stringify(wrong)}, ` +
      "expected balanced, or a number for each class as 1,1,2",
  );
}
