import { exists, osReason } from "../_files.ts";
import { probeFolder } from "../_write_atomically.ts";
import { GapcamError } from "../error.ts";
import { readLines } from "./run_log.ts";

/** Name of the checkpoint in a run's folder. */
export const CHECKPOINT_NAME = "checkpoint.safetensors";

/** Name of the best network's checkpoint there, in a run that is validated. */
export const BEST_NAME = "best.safetensors";

/** Name of the log in a run's folder. */
export const LOG_NAME = "log.jsonl";

/** Name of the film there: maps of a few images after each epoch. */
export const FILM_NAME = "film.jsonl";

/**
 * The folder of a run, held by the one process that trains in it: no other can
 * open it until it is disposed of, or the process ends, however it ends.
 *
 * @example
 * ```ts
 * import { openRunFolder } from "@gapcam/gapcam";
 *
 * const folder = await Deno.makeTempDir();
 * {
 *   using run = openRunFolder(`${folder}/first`);
 *   if (!run.path.endsWith("/first")) throw new Error("unexpected");
 * }
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export interface RunFolder extends Disposable {
  /** The folder. */
  readonly path: string;
  /** Lets others open the folder; removes it where it was made and no run began. */
  [Symbol.dispose](): void;
}

/**
 * Opens the folder of a run to train in it, and makes sure that it can be
 * written. A folder in which a run ended before its first checkpoint may be
 * started again.
 *
 * @param path Where; made with its parents if it does not exist.
 * @param options `resume`: whether it may hold a run's checkpoint. Default:
 * false.
 * @throws {GapcamError} If it holds another run, cannot be written, or another
 * process trains in it.
 */
export function openRunFolder(
  path: string,
  options: { resume?: boolean } = {},
): RunFolder {
  const { resume = false } = options;
  for (let attempt = 1;; attempt++) {
    const made = makeFolder(path);
    try {
      return hold(path, { made, resume });
    } catch (error) {
      // Whoever held it removed it as it let go.
      const gone = error instanceof GapcamError &&
        error.cause instanceof Deno.errors.NotFound;
      if (!gone || attempt === 3) throw error;
    }
  }
}

/**
 * Makes a new run's folder, named after the time; a second one within a second
 * ends in `-2`.
 *
 * @param runs The folder of runs; made if it does not exist.
 * @param now The time. Default: now.
 * @throws {GapcamError} If it cannot be written.
 */
export function newRunFolder(runs: string, now: Date = new Date()): RunFolder {
  for (let number = 1;; number++) {
    const path = `${runs}/${runName(now)}${number === 1 ? "" : `-${number}`}`;
    // Making a folder is the one thing that only one of two processes can do.
    if (makeFolder(path)) return hold(path, { made: true, resume: false });
  }
}

/**
 * Names a run's folder after the time.
 *
 * @returns Such as `2026-11-24_19-41-44`, in local time.
 */
export function runName(now: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()];
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()];
  return `${date.map(two).join("-")}_${time.map(two).join("-")}`;
}

/** Whether this call made the folder. */
function makeFolder(path: string): boolean {
  try {
    const parent = path.replace(/\/+$/, "").replace(/\/?[^/]*$/, "");
    if (parent) Deno.mkdirSync(parent, { recursive: true });
    Deno.mkdirSync(path);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw unwritable(path, error);
    }
    return false;
  }
}

function hold(
  path: string,
  state: { made: boolean; resume: boolean },
): RunFolder {
  const log = `${path}/${LOG_NAME}`;
  let file: Deno.FsFile | undefined;
  const release = () => {
    if (!file) return;
    if (file.statSync().size === 0) removeQuietly(log);
    // One that holds anything stays, and so does one that was there before.
    if (state.made) removeQuietly(path);
    file.close();
    file = undefined;
  };
  try {
    file = lock(path, log);
    // The only sure test of a folder is to write there; better now than after
    // an epoch.
    probeFolder(path);
    if (!state.resume) assertFree(path);
  } catch (error) {
    release();
    if (state.made) removeQuietly(path);
    throw error instanceof GapcamError ? error : unwritable(path, error);
  }
  return { path, [Symbol.dispose]: release };
}

/** Locks a run's log, which is what every process that trains there writes. */
function lock(path: string, log: string): Deno.FsFile {
  for (;;) {
    // A pipe or a device would take what is written, or wait for ever.
    if (exists(log) && !Deno.statSync(log).isFile) {
      throw new Error(`its ${LOG_NAME} is no file`);
    }
    const file = Deno.openSync(log, { append: true, create: true });
    let held: boolean;
    try {
      held = file.tryLockSync(true);
      // Whoever only looks whether the run is held has it for a moment.
      for (let i = 0; !held && i < 3; i++) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
        held = file.tryLockSync(true);
      }
    } catch {
      // A file system without locks: it works as it did without this one.
      return file;
    }
    if (!held) {
      file.close();
      throw new GapcamError(
        "busy",
        `Cannot train in ${path}: another process is training there; wait ` +
          "for it, or stop it first",
      );
    }
    if (file.statSync().nlink !== 0) return file;
    // Whoever held it removed it as it let go.
    file.close();
  }
}

/** Whether a process trains in the folder of a run, as far as locks can tell. */
export function isHeld(folder: string): boolean {
  try {
    const path = `${folder}/${LOG_NAME}`;
    if (!Deno.statSync(path).isFile) return false;
    using file = Deno.openSync(path, { read: true });
    return !file.tryLockSync(true);
  } catch {
    return false;
  }
}

/** Refuses the folder of another run; a run that never began is none. */
function assertFree(path: string): void {
  const other = exists(`${path}/${CHECKPOINT_NAME}`)
    ? CHECKPOINT_NAME
    : exists(`${path}/${BEST_NAME}`)
    ? BEST_NAME
    // Events that nobody knows count as well.
    : readLines(`${path}/${LOG_NAME}`).some((line) => !isStart(line))
    ? LOG_NAME
    : undefined;
  if (!other) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot start a run in ${path}: it holds ${other} of another run; ` +
      "choose another folder or resume that run",
  );
}

function isStart(line: string): boolean {
  try {
    return JSON.parse(line)?.event === "start";
  } catch {
    return false;
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It is in use, or gone.
  }
}

function unwritable(path: string, error: unknown): GapcamError {
  return new GapcamError(
    "io",
    `Cannot write to run folder ${path}: ${osReason(error)}; choose another`,
    { cause: error },
  );
}
