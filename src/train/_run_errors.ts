import { GapcamError } from "../error.ts";
import type { RunRecord } from "./_run_record.ts";
import type { TrainingProgress } from "./checkpoint.ts";

/** Why a run ended whose log cannot be written. */
export function logError(error: GapcamError, step: number): GapcamError {
  return new GapcamError(
    error.code,
    `${error.message}; the run is saved after step ${step} and can be resumed`,
    { cause: error },
  );
}

/** Why a run ended that another rank ended, and what is kept of it. */
export function rankError(error: GapcamError, record: RunRecord): GapcamError {
  if (!record.path) return error;
  return new GapcamError(
    error.code,
    `${error.message}; the checkpoint of ${savedText(record.saved)} is kept ` +
      `in ${record.path} and can be resumed`,
    { cause: error },
  );
}

/** How far a run had come when it was saved. */
export function savedText(saved: TrainingProgress | undefined): string {
  const { epoch, batch } = saved ?? { epoch: 0, batch: 0 };
  return batch === 0 ? `epoch ${epoch}` : `epoch ${epoch + 1}, step ${batch}`;
}
