import { exists, osReason } from "../_files.ts";
import { removeStrayFiles } from "../_write_atomically.ts";
import { GapcamError } from "../error.ts";
import {
  BEST_NAME,
  CHECKPOINT_NAME,
  FILM_NAME,
  LOG_NAME,
  openRunFolder,
} from "./run_folder.ts";
import { NAME_FILE } from "./run_name.ts";

/**
 * Removes a run: the files that gapcam wrote, and the folder if nothing else is
 * in it.
 *
 * @param folder The run's folder; see {@linkcode findRun}.
 * @returns What stays in the folder; empty where it is gone.
 * @throws {GapcamError} If a process trains there, or something cannot be
 * removed.
 */
export function removeRun(folder: string): string[] {
  try {
    {
      // Held, so that nobody goes on with what is being removed.
      using run = openRunFolder(folder, { resume: true });
      removeStrayFiles(run.path);
      for (
        const name of [
          CHECKPOINT_NAME,
          BEST_NAME,
          FILM_NAME,
          NAME_FILE,
          LOG_NAME,
        ]
      ) {
        const path = `${run.path}/${name}`;
        if (exists(path)) Deno.removeSync(path);
      }
    }
    const rest = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    if (rest.length === 0) Deno.removeSync(folder);
    return rest;
  } catch (error) {
    if (error instanceof GapcamError) throw error;
    throw new GapcamError(
      "io",
      `Cannot remove run ${folder}: ${osReason(error)}`,
      { cause: error },
    );
  }
}
