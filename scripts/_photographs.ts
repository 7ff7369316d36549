/**
 * The photographs that a user names: files, folders and patterns.
 *
 * @module
 */

import { globSync } from "node:fs";
import { PICTURE } from "../src/data/_list_folder.ts";
import { GapcamError } from "../src/error.ts";
import {
  PHOTOGRAPH_FITS,
  type PhotographFit,
} from "../src/image/fit_photograph.ts";
import type { Colour } from "../src/image/_text.ts";
import { parseColour } from "./_colour.ts";
import { type Flag, type FlagValues, userPath } from "./_command.ts";

/** Flags of every command that shows photographs to a network. */
export const FIT_FLAGS = {
  fit: {
    type: "string",
    choices: PHOTOGRAPH_FITS,
    help: "how a photograph is shown: its middle, stretched, with bars, or " +
      "all of it in its proportions",
    default: "crop",
    placeholder: "HOW",
  },
  background: {
    type: "string",
    help: "what transparent pixels of photographs are laid on, as #ff8800",
    default: "white",
    placeholder: "COLOUR",
  },
} as const satisfies Record<string, Flag>;

/** Values of {@linkcode FIT_FLAGS}. */
export type FitFlags = FlagValues<typeof FIT_FLAGS>;

/** How photographs are shown to a network. */
export interface FitChoice {
  fit: PhotographFit;
  /** What transparent pixels are laid on. */
  background: Colour;
}

/**
 * How photographs are shown, as flags say it.
 *
 * @throws {GapcamError} If the colour is none.
 */
export function fitChoice(flags: Omit<FitFlags, "positional">): FitChoice {
  return {
    fit: (flags.fit ?? "crop") as PhotographFit,
    background: parseColour(flags.background ?? "white"),
  };
}

/**
 * Refuses what says how photographs are shown where there are none.
 *
 * @throws {GapcamError} If such a flag is given.
 */
export function assertNoFit(flags: Omit<FitFlags, "positional">): void {
  const given = (["fit", "background"] as const)
    .find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot show images of the data set as --${given} says: the network sees ` +
      "all of them; leave it out, or name photographs",
  );
}

/**
 * Lists the files that paths, folders and patterns such as `photos/*.jpg` name,
 * in order, each once. Of a folder, all its pictures, not those of folders in it.
 *
 * @throws {GapcamError} If a folder holds no picture, or nothing fits a pattern.
 */
export function photographFiles(patterns: readonly string[]): string[] {
  return [...new Set(patterns.flatMap(filesOf))];
}

function filesOf(pattern: string): string[] {
  const path = userPath(pattern).replace(/(?<=.)\/+$/, "");
  const kind = kindOf(path);
  if (kind === "folder") return picturesIn(path, pattern);
  // A file may be called like a pattern; one that is not there is told later.
  if (kind === "file" || !/[*?[{]/.test(pattern)) return [path];
  const files = globSync(path).map(String).sort()
    .flatMap((one) =>
      kindOf(one) === "folder" ? picturesIn(one, one, true) : [one]
    );
  if (files.length > 0) return files;
  throw new GapcamError(
    "not-found",
    `Cannot find photographs: no file fits ${JSON.stringify(pattern)}`,
  );
}

function picturesIn(folder: string, name: string, optional = false): string[] {
  const files = Array.from(Deno.readDirSync(folder))
    .filter((entry) =>
      !entry.isDirectory && !entry.name.startsWith(".") &&
      PICTURE.test(entry.name)
    )
    .map((entry) => `${folder}/${entry.name}`)
    .sort();
  if (files.length > 0 || optional) return files;
  throw new GapcamError(
    "not-found",
    `Cannot find photographs: folder ${JSON.stringify(name)} holds none`,
  );
}

function kindOf(path: string): "file" | "folder" | undefined {
  try {
    return Deno.statSync(path).isDirectory ? "folder" : "file";
  } catch {
    return undefined;
  }
}
