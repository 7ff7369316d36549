import { exists } from "../_files.ts";
import { printable, printableValue } from "../_printable.ts";
import { writeAtomically } from "../_write_atomically.ts";
import { GapcamError } from "../error.ts";
import { CHECKPOINT_NAME, LOG_NAME } from "./run_folder.ts";

/** Name of the file that holds the name that a user gave a run. */
export const NAME_FILE = "name.txt";

/** So that a table of runs stays one. */
const LONGEST_NAME = 60;

/**
 * Lists the folders of runs below a folder: those that hold a log or a
 * checkpoint.
 *
 * @param runs A folder that holds runs' folders, such as `runs`.
 * @returns Paths, by name; without a folder, none.
 */
export function runsIn(runs: string): string[] {
  let names: string[];
  try {
    names = [...Deno.readDirSync(runs)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return names.sort().map((name) => `${runs}/${name}`).filter(isRun);
}

/**
 * Finds the run that a user means.
 *
 * @param name The path of a run's folder, the folder's name below `runs`, or
 * the name that a user gave the run.
 * @param runs The folder of runs.
 * @returns The folder's path.
 * @throws {GapcamError} If there is none.
 */
export function findRun(name: string, runs: string): string {
  const found = [name, `${runs}/${name}`].find(isRun) ?? namedRun(name, runs);
  if (found !== undefined) return found.replace(/(?<=.)\/+$/, "");
  throw new GapcamError(
    "not-found",
    `Cannot find run ${printable(name)}: no folder of that name holds a run, ` +
      "and no run has been given it",
  );
}

/** The run that was given a name, if there is one. */
export function namedRun(name: string, runs: string): string | undefined {
  return runsIn(runs).find((folder) => readRunName(folder) === name);
}

/**
 * The name that a user gave a run.
 *
 * @param folder The run's folder.
 */
export function readRunName(folder: string): string | undefined {
  try {
    const { isFile, size } = Deno.statSync(`${folder}/${NAME_FILE}`);
    if (!isFile || size > 4 * LONGEST_NAME) return undefined;
    return Deno.readTextFileSync(`${folder}/${NAME_FILE}`).trim() || undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}

/**
 * Gives a run a name by which it can be found; it is kept in the run's folder.
 *
 * @param folder The run's folder.
 * @param name What to call it, in place of what it was called before.
 * @throws {GapcamError} If the name is empty, too long, holds what cannot be
 * printed or a slash, another run beside it has it, or it cannot be written.
 */
export async function nameRun(folder: string, name: string): Promise<void> {
  const refuse = (expected: string): never => {
    throw new GapcamError(
      "invalid-argument",
      `Cannot name a run ${printableValue(name)}: ${expected}`,
    );
  };
  if (
    name !== printable(name) || name !== name.trim() || name === "" ||
    name.length > LONGEST_NAME || name.includes("/")
  ) {
    refuse(
      `expected up to ${LONGEST_NAME} characters that can be printed, no ` +
        "slash, no space at either end",
    );
  }
  const path = folder.replace(/(?<=.)\/+$/, "");
  const runs = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : ".";
  const own = path.slice(path.lastIndexOf("/") + 1);
  const taken = namedRun(name, runs) ??
    (exists(`${runs}/${name}`) ? `${runs}/${name}` : undefined);
  if (taken !== undefined && taken.slice(taken.lastIndexOf("/") + 1) !== own) {
    refuse(`${taken} is called so; choose another`);
  }
  await writeAtomically(`${path}/${NAME_FILE}`, [
    new TextEncoder().encode(`${name}\n`),
  ]);
}

function isRun(path: string): boolean {
  return [LOG_NAME, CHECKPOINT_NAME].some((name) => isFile(`${path}/${name}`));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return false;
  }
}
