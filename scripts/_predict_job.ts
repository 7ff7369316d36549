/**
 * What `deno task predict` is to do, as its flags say it.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import {
  type Flag,
  type FlagValues,
  QUIET_FLAG,
  userPath,
} from "./_command.ts";
import {
  NETWORK_FLAGS,
  type NetworkChoice,
  networkChoice,
  PHOTOGRAPHER_FLAG,
} from "./_network_flags.ts";
import {
  assertNoFit,
  FIT_FLAGS,
  type FitChoice,
  fitChoice,
  photographFiles,
} from "./_photographs.ts";

/** Flags of `deno task predict`. */
export const PREDICT_FLAGS = {
  ...NETWORK_FLAGS,
  checkpoint: PHOTOGRAPHER_FLAG,
  limit: {
    type: "integer",
    min: 1,
    help: "use only the first N images of the data set",
    default: "all",
  },
  top: {
    type: "integer",
    min: 1,
    help: "how many of the likeliest classes",
    default: "3",
    placeholder: "K",
  },
  ...FIT_FLAGS,
  csv: {
    type: "string",
    help: "write comma-separated values too",
    placeholder: "FILE",
  },
  cam: {
    type: "boolean",
    help: "write the maps too, as deno task cam does",
  },
  out: {
    type: "string",
    help: "folder of the pictures of --cam",
    default: "cam in the run's folder",
    placeholder: "FOLDER",
  },
  "batch-size": {
    type: "integer",
    min: 1,
    max: 65536,
    help: "images at once",
    default: "32",
  },
  quiet: QUIET_FLAG,
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

/** What to look at, and what to say of it. */
export interface PredictJob {
  network: NetworkChoice;
  /** Photographs; the data set if undefined. */
  files: readonly string[] | undefined;
  /** Only so many images of the data set; all if undefined. */
  limit: number | undefined;
  /** How many of the likeliest classes. */
  top: number;
  /** How photographs are shown to the network. */
  shown: FitChoice;
  /** Where a table of comma-separated values goes. */
  csv: string | undefined;
  /** Whether maps are drawn. */
  cam: boolean;
  /** Folder of the pictures; in the run's folder if undefined. */
  out: string | undefined;
  /** Images at once. */
  batchSize: number | undefined;
  quiet: boolean;
  json: boolean;
}

/**
 * The job that flags describe.
 *
 * @throws {GapcamError} If they contradict each other.
 */
export function predictJob(
  flags: FlagValues<typeof PREDICT_FLAGS> & { debug?: boolean },
): PredictJob {
  assertTogether(flags);
  return {
    network: networkChoice(flags),
    files: flags.positional.length > 0
      ? photographFiles(flags.positional)
      : undefined,
    limit: flags.limit,
    top: flags.top ?? 3,
    shown: fitChoice(flags),
    csv: flags.csv === undefined ? undefined : userPath(flags.csv),
    cam: flags.cam,
    out: flags.out && userPath(flags.out),
    batchSize: flags["batch-size"],
    quiet: flags.quiet,
    json: flags.json,
  };
}

/** Refuses flags that say nothing together. */
function assertTogether(flags: FlagValues<typeof PREDICT_FLAGS>): void {
  const named = (["dataset", "data-dir", "split", "limit"] as const)
    .filter((name) => flags[name] !== undefined);
  if (flags.positional.length > 0 && named.length > 0) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot take files and --${named[0]} together: it says which images of ` +
        "a data set; leave out one of them",
    );
  }
  if (flags.positional.length === 0) assertNoFit(flags);
  if (flags.out !== undefined && !flags.cam) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot put pictures into --out without --cam: nothing is drawn; add " +
        "--cam, or name a table with --csv",
    );
  }
}
