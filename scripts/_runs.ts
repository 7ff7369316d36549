/**
 * Where commands look for runs.
 *
 * @module
 */

import { findCheckpoint, newestCheckpoint } from "../src/train/run_folder.ts";
import { userPath } from "./_command.ts";

/** The folder of runs: `runs` beside deno.json, wherever the command was typed. */
export function runsFolder(): string {
  // `deno task` makes that folder the working folder.
  return `${Deno.cwd()}/runs`;
}

/**
 * The checkpoint that `--checkpoint` or `--resume` names: a file, a run's folder
 * or a run's name; the newest run's if nothing is named.
 */
export function chosenCheckpoint(name: string | undefined): string {
  if (!name) return newestCheckpoint(runsFolder());
  return findCheckpoint(
    findable(name) ? userPath(name) : name,
    runsFolder(),
  );
}

function findable(name: string): boolean {
  try {
    Deno.statSync(userPath(name));
    return true;
  } catch {
    return false;
  }
}

/** A path as short as it can be written for the user: relative to where they are. */
export function shownPath(path: string): string {
  const base = userPath("").replace(/\/$/, "");
  return path.startsWith(`${base}/`) ? path.slice(base.length + 1) : path;
}
