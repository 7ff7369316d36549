/** The best epoch of a run so far, by its validation. */
export interface BestEpoch {
  /** Number of the epoch, from 1. */
  epoch: number;
  /** Steps of the run until then. */
  step: number;
  /** Mean cross-entropy. */
  loss: number;
  /** Share of right answers. */
  accuracy: number;
  /** Share of images whose class is among the first five answers. */
  top5: number;
}

/** How far validation has come: what it needs to go on. */
export interface ValidationProgress {
  /** Epochs that were validated. */
  epochs: number;
  /** The best of them; undefined before the first. */
  best?: BestEpoch;
}

/** Whether a value from a file is a {@linkcode ValidationProgress}. */
export function isValidationProgress(
  value: unknown,
): value is ValidationProgress {
  if (typeof value !== "object" || value === null) return false;
  const { epochs, best } = value as Record<string, unknown>;
  const isCount = (count: unknown) =>
    Number.isSafeInteger(count) && (count as number) >= 0;
  if (!isCount(epochs)) return false;
  if (best === undefined) return true;
  if (typeof best !== "object" || best === null) return false;
  const { epoch, step, loss, accuracy, top5 } = best as Record<string, unknown>;
  return isCount(epoch) && isCount(step) &&
    [loss, accuracy, top5].every((number) => typeof number === "number");
}
