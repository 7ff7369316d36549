import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";

/** Name of the checkpoint in a run's folder. */
export const CHECKPOINT_NAME = "checkpoint.safetensors";

/** Name of the log in a run's folder. */
export const LOG_NAME = "log.jsonl";

/**
 * Makes the folder of a run and makes sure that it can be written.
 *
 * @param folder Where; made with its parents if it does not exist.
 * @param options `resume`: whether it may hold the run already. Default: false.
 * @throws {GapcamError} If it holds another run or cannot be written.
 *
 * @example
 * ```ts
 * import { createRunFolder } from "@gapcam/gapcam";
 *
 * const folder = await Deno.makeTempDir();
 * createRunFolder(`${folder}/first`);
 * if (!Deno.statSync(`${folder}/first`).isDirectory) throw new Error("no folder");
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export function createRunFolder(
  folder: string,
  options: { resume?: boolean } = {},
): void {
  const probe = `${folder}/.${crypto.randomUUID()}.tmp`;
  try {
    Deno.mkdirSync(folder, { recursive: true });
    // The only sure test of a folder is to write there; better now than after
    // an epoch.
    try {
      Deno.writeFileSync(probe, new Uint8Array(1));
    } finally {
      if (statOf(probe)) Deno.removeSync(probe);
    }
  } catch (error) {
    throw new GapcamError(
      "io",
      `Cannot write to run folder ${folder}: ${osReason(error)}; ` +
        "choose another with --out",
      { cause: error },
    );
  }
  if (options.resume) return;
  for (const name of [CHECKPOINT_NAME, LOG_NAME]) {
    if (statOf(`${folder}/${name}`)) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot start a run in ${folder}: it holds ${name} of another run; ` +
          "choose another folder or resume that run",
      );
    }
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

/**
 * Finds the newest checkpoint below a folder of runs.
 *
 * @param folder A folder that holds runs' folders, such as `runs`.
 * @returns The path of the checkpoint that was written last.
 * @throws {GapcamError} If there is none.
 */
export function newestCheckpoint(folder: string): string {
  let newest: { path: string; time: number } | undefined;
  for (const name of namesIn(folder)) {
    const path = `${folder}/${name}/${CHECKPOINT_NAME}`;
    const time = statOf(path)?.mtime?.getTime();
    if (time === undefined) continue;
    if (!newest || time >= newest.time) newest = { path, time };
  }
  if (newest) return newest.path;
  throw new GapcamError(
    "not-found",
    `Cannot find a checkpoint: no folder in ${folder} holds ` +
      `${CHECKPOINT_NAME}; run \`deno task train\` first`,
  );
}

/**
 * Finds the checkpoint that a user means.
 *
 * @param path A checkpoint, the folder of a run, or a run's name below `runs`.
 * @param runs The folder of runs.
 * @returns The checkpoint's path.
 * @throws {GapcamError} If there is none.
 */
export function findCheckpoint(path: string, runs: string): string {
  for (const candidate of [path, `${runs}/${path}`]) {
    const stat = statOf(candidate);
    if (stat?.isFile) return candidate;
    const inside = `${candidate}/${CHECKPOINT_NAME}`;
    if (stat?.isDirectory && statOf(inside)) return inside;
    if (stat?.isDirectory) {
      throw new GapcamError(
        "not-found",
        `Cannot find a checkpoint in ${candidate}: it holds no ` +
          CHECKPOINT_NAME,
      );
    }
  }
  throw new GapcamError(
    "not-found",
    `Cannot find checkpoint ${path}: there is no such file and no such folder`,
  );
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) return undefined;
    throw error;
  }
}
