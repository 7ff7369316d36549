import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";
import { BEST_NAME, CHECKPOINT_NAME } from "./run_folder.ts";
import { namedRun } from "./run_name.ts";

/**
 * Lists the checkpoints below a folder of runs.
 *
 * @param folder A folder that holds runs' folders, such as `runs`.
 * @returns Paths, the one that was written last first; what cannot be looked at
 * is left out.
 */
export function checkpointsIn(folder: string): string[] {
  return namesIn(folder)
    .flatMap((name) => {
      const path = `${folder}/${name}/${CHECKPOINT_NAME}`;
      const stat = statOf(path);
      return stat?.isFile ? [{ path, time: stat.mtime?.getTime() ?? 0 }] : [];
    })
    // By name where two were written at once: names are times.
    .sort((a, b) => b.time - a.time || (a.path < b.path ? 1 : -1))
    .map(({ path }) => path);
}

/**
 * Finds the newest checkpoint below a folder of runs.
 *
 * @param folder A folder that holds runs' folders, such as `runs`.
 * @returns The path of the checkpoint that was written last.
 * @throws {GapcamError} If there is none.
 */
export function newestCheckpoint(folder: string): string {
  const [newest] = checkpointsIn(folder);
  if (newest) return newest;
  throw new GapcamError(
    "not-found",
    `Cannot find a checkpoint: no folder in ${folder} holds ` +
      `${CHECKPOINT_NAME}; train a network first`,
  );
}

/**
 * Finds the checkpoint that a user means.
 *
 * @param path A checkpoint, the folder of a run, its name below `runs`, or the
 * name that a user gave the run.
 * @param runs The folder of runs.
 * @param options `last`: whether to take a run's last checkpoint, not the best
 * by validation where there is one. Default: false.
 * @returns The checkpoint's path.
 * @throws {GapcamError} If there is none, or it is no file: reading a device or
 * a pipe might never end.
 */
export function findCheckpoint(
  path: string,
  runs: string,
  options: { last?: boolean } = {},
): string {
  for (const candidate of candidates(path, runs)) {
    const stat = lookAt(candidate);
    if (!stat) continue;
    if (stat.isFile) return candidate;
    if (!stat.isDirectory) throw noFile(candidate);
    const inside = `${candidate}/${CHECKPOINT_NAME}`;
    const found = lookAt(inside);
    if (found?.isFile) return options.last ? inside : bestBeside(inside);
    if (found) throw noFile(inside);
    throw new GapcamError(
      "not-found",
      `Cannot find a checkpoint in ${candidate}: it holds no ` +
        CHECKPOINT_NAME,
    );
  }
  throw new GapcamError(
    "not-found",
    `Cannot find checkpoint ${path}: there is no such file and no such folder`,
  );
}

/**
 * The best network's checkpoint in the folder of a run.
 *
 * @param checkpoint Path of its last one, which is taken where there is no best.
 */
export function bestBeside(checkpoint: string): string {
  const best = checkpoint.slice(0, checkpoint.lastIndexOf("/") + 1) + BEST_NAME;
  return statOf(best)?.isFile ? best : checkpoint;
}

/** Where it may be; the names of runs are read only where nothing else is there. */
function* candidates(path: string, runs: string): Iterable<string> {
  yield path;
  yield `${runs}/${path}`;
  const named = namedRun(path, runs);
  if (named !== undefined) yield named;
}

function noFile(path: string): GapcamError {
  return new GapcamError(
    "bad-data",
    `Cannot load checkpoint ${path}: found a folder, a pipe or a device, ` +
      "expected a file",
  );
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** As {@linkcode statOf}, for a path that was named. */
function lookAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) return undefined;
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw new GapcamError(
      "io",
      `Cannot load checkpoint ${path}: ${osReason(error)}`,
      { cause: error },
    );
  }
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    // Not to be allowed to look is no answer.
    if (error instanceof Deno.errors.NotCapable) throw error;
    // No such file, a link in a circle, a folder of somebody else's, ...
    return undefined;
  }
}
