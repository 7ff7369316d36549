/**
 * Where commands look for runs, and what they say of them.
 *
 * @module
 */

import { exists } from "../src/_files.ts";
import { printable } from "../src/_printable.ts";
import { GapcamError } from "../src/error.ts";
import type { Checkpoint } from "../src/train/checkpoint.ts";
import { describesRun, readCheckpoint } from "../src/train/checkpoint_file.ts";
import {
  bestBeside,
  checkpointsIn,
  findCheckpoint,
  newestCheckpoint,
} from "../src/train/find_checkpoint.ts";
import {
  BEST_NAME,
  CHECKPOINT_NAME,
  LOG_NAME,
} from "../src/train/run_folder.ts";
import { readRunLog } from "../src/train/run_log.ts";
import { readWeights } from "../src/weights/read_weights.ts";
import { userPath } from "./_command.ts";
import {
  namedPretrained,
  pretrainedCommand,
  pretrainedName,
  usualPretrained,
} from "./_pretrained.ts";

/** The folder of runs: `runs` beside deno.json, wherever the command was typed. */
export function runsFolder(): string {
  // `deno task` makes that folder the working folder.
  return `${Deno.cwd()}/runs`;
}

/** Options of {@linkcode chosenRun}. */
export interface ChoiceOptions<Run> {
  /** Loads a checkpoint. */
  load: (path: string) => Promise<Run>;
  /** Why a checkpoint is not wanted where there is another, if it is not. */
  unwanted?: (run: Run, path: string) => string | undefined;
  /** Whether a run's last checkpoint is taken, not its best. Default: false. */
  last?: boolean;
  /**
   * Whether a run sees in colours, where photographs are to be looked at: runs
   * that do not are passed over, and where none is left a pretrained network is
   * taken.
   */
  seesColours?: (run: Run) => boolean;
}

/**
 * Loads the checkpoint that `--checkpoint` or `--resume` names: a file, a run's
 * folder or name, or a pretrained network. Where nothing is named it is the
 * newest run; one that cannot be loaded is passed over, with a note on stderr.
 */
export async function chosenRun<Run>(
  name: string | undefined,
  options: ChoiceOptions<Run>,
): Promise<Run> {
  if (name) return await options.load(namedCheckpoint(name, options));
  const { seesColours } = options;
  // Throws if there is none at all.
  if (!seesColours) newestCheckpoint(runsFolder());
  let second: Run | undefined;
  let grey = 0;
  let failure: unknown;
  for (const checkpoint of checkpointsIn(runsFolder())) {
    const path = options.last ? checkpoint : bestBeside(checkpoint);
    let reason: string;
    try {
      const run = await options.load(path);
      if (seesColours?.(run) === false) {
        // Once for all: there may be many.
        if (grey++ > 0) continue;
        reason = "its images are grey; --checkpoint takes it all the same";
      } else {
        const unwanted = options.unwanted?.(run, path);
        if (!unwanted) return run;
        second ??= run;
        reason = unwanted;
      }
    } catch (error) {
      if (!(error instanceof GapcamError) || error.code === "busy") throw error;
      failure ??= error;
      reason = error.message;
    }
    console.error(`note: passed over ${shownPath(path)}: ${reason}`);
  }
  const pretrained = seesColours && usualPretrained();
  if (pretrained) return await options.load(pretrained);
  if (second !== undefined) return second;
  throw failure ?? noNetwork();
}

/** What a name means: a path, a run, a pretrained network. */
function namedCheckpoint(name: string, options: { last?: boolean }): string {
  const path = exists(userPath(name)) ? userPath(name) : name;
  const pretrained = pretrainedName(name);
  if (path === name && pretrained && !exists(`${runsFolder()}/${name}`)) {
    return namedPretrained(pretrained);
  }
  return findCheckpoint(path, runsFolder(), { last: options.last ?? false });
}

function noNetwork(): GapcamError {
  return new GapcamError(
    "not-found",
    "Cannot look at photographs: there is no network yet that sees in colours; " +
      `get one with: ${pretrainedCommand()}`,
  );
}

/**
 * Loads a checkpoint; says what to do with weights that are none.
 *
 * @param path Path of the file.
 */
export async function openCheckpoint(
  path: string,
  options: { optimiser?: boolean } = {},
): Promise<Checkpoint> {
  try {
    return await readCheckpoint(path, options);
  } catch (error) {
    if (!(error instanceof GapcamError) || !(await isForeign(path))) {
      throw error;
    }
    throw new GapcamError(
      error.code,
      `${error.message}; make a checkpoint of it with: deno task import ` +
        typedPath(path),
      { cause: error },
    );
  }
}

/** Whether a file holds weights that gapcam did not write as a checkpoint. */
async function isForeign(path: string): Promise<boolean> {
  try {
    return !("gapcam_version" in (await readWeights(path)).metadata);
  } catch {
    return false;
  }
}

/** What must be known of a run before its maps are believed, if anything. */
export function caveatOf(
  path: string,
  checkpoint: Pick<Checkpoint, "progress">,
): string | undefined {
  const log = `${folderOf(path)}/${LOG_NAME}`;
  if (!isOfRun(path) || !exists(log)) return undefined;
  const { epoch, batch, step } = checkpoint.progress;
  const diverged = endedIn("divergence", log);
  if (step === 0) {
    return (diverged ? "its training diverged, and " : "") +
      "its network is as it was before the first step";
  }
  return diverged
    ? `its training diverged; this is its network after epoch ${epoch}` +
      (batch > 0 ? ` and ${batch} ${batch === 1 ? "step" : "steps"}` : "")
    : undefined;
}

function endedIn(event: string, log: string): boolean {
  try {
    return readRunLog(log).at(-1)?.event === event;
  } catch {
    // A damaged log is no reason not to look at the network.
    return false;
  }
}

/**
 * Refuses to write a file in the place of a run's checkpoint, whose optimiser
 * and progress would be lost, or of the file that is read.
 *
 * @param path What is to be written.
 * @param source What is read, if it is a file.
 */
export async function assertNoRun(
  path: string,
  source?: string,
): Promise<void> {
  const refuse = (found: string): never => {
    throw new GapcamError(
      "invalid-argument",
      `Cannot write ${shownPath(path)}: ${found}; choose another name`,
    );
  };
  if (
    source !== undefined && exists(path) &&
    Deno.realPathSync(path) === Deno.realPathSync(source)
  ) {
    refuse("it is the file that is read");
  }
  const folder = folderOf(path);
  if (isOfRun(path) && exists(`${folder}/${LOG_NAME}`)) {
    refuse("this is the name of a run's checkpoint in that run's folder");
  }
  if (await describesRun(path)) {
    refuse("it is a run's checkpoint, which could not go on without it");
  }
}

/** Which checkpoint a network is from, in a line. */
export function checkpointLine(path: string, checkpoint: Checkpoint): string {
  const { modelName, progress, training } = checkpoint;
  const { step } = progress;
  if (step === 0 && !isOfRun(path)) {
    return `Checkpoint: ${shownPath(path)} (${printable(modelName)}, trained ` +
      "elsewhere)";
  }
  const best = path.endsWith(`/${BEST_NAME}`)
    ? `, the best by ${training.bestBy}; --last takes the last`
    : "";
  return `Checkpoint: ${shownPath(path)} (${printable(modelName)}, after ` +
    `${step} ${step === 1 ? "step" : "steps"}${best})`;
}

function isOfRun(path: string): boolean {
  return [CHECKPOINT_NAME, BEST_NAME].some((name) => path.endsWith(`/${name}`));
}

/** A path as short as it can be written for the user: relative to where they are. */
export function shownPath(path: string): string {
  const base = userPath("").replace(/\/$/, "");
  return path.startsWith(`${base}/`) ? path.slice(base.length + 1) : path;
}

/** A path as a word of a command that can be typed. */
export function typedPath(path: string): string {
  const shown = shownPath(path);
  return /^[\w./:@%+=,][\w./:@%+=,-]*$/.test(shown)
    ? shown
    : `'${shown.replaceAll("'", "'\\''")}'`;
}

/** The flag that names a run, with a space; empty for the one taken without it. */
export function runFlag(checkpoint: string): string {
  const [newest] = checkpointsIn(runsFolder());
  return newest !== undefined &&
      Deno.realPathSync(newest) === Deno.realPathSync(checkpoint)
    ? ""
    : ` --checkpoint ${typedPath(folderOf(checkpoint))}`;
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/"))) || "/";
}
