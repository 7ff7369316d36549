import { GapcamError } from "../error.ts";
import { VGG_CONFIGURATIONS, type VggStep } from "./vgg.ts";

/** Trunks beside VGG's own, by name. */
export const SMALL_TRUNKS = {
  // Two pools: 28 x 28 pixels leave a map of 7 x 7.
  small: [16, "M", 32, "M", 64, 64],
  // For tests and first steps: one pool, seconds on any machine.
  tiny: [8, "M", 16],
} as const satisfies Record<string, readonly VggStep[]>;

/** Every name that {@linkcode parseModel} knows. */
export const MODEL_NAMES: readonly string[] = [
  ...Object.keys(VGG_CONFIGURATIONS),
  ...Object.keys(SMALL_TRUNKS),
];

/**
 * Reads a model's name, or a trunk such as `32,32,M,64`.
 *
 * @param name One of {@linkcode MODEL_NAMES}, or whole numbers and `M`,
 * separated by commas.
 * @returns The trunk.
 * @throws {GapcamError} If the name is not known or the list makes no trunk.
 *
 * @example
 * ```ts
 * import { parseModel } from "./model_config.ts";
 *
 * if (parseModel("8,M,16").join() !== "8,M,16") throw new Error("unexpected");
 * ```
 */
export function parseModel(name: string): VggStep[] {
  const known: Record<string, readonly VggStep[]> = {
    ...VGG_CONFIGURATIONS,
    ...SMALL_TRUNKS,
  };
  if (Object.hasOwn(known, name)) return [...known[name]!];
  const steps = name.split(",").map((step) => step.trim());
  if (
    steps.every((step) => step === "M" || /^[1-9]\d{0,4}$/.test(step)) &&
    steps.some((step) => step !== "M")
  ) {
    return steps.map((step) => step === "M" ? step : Number(step));
  }
  throw new GapcamError(
    "invalid-argument",
    `Cannot build model ${JSON.stringify(name)}: expected one of ${
      MODEL_NAMES.join(", ")
    }, or a list such as 32,32,M,64`,
  );
}
