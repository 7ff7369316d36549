/**
 * The photographs that a user names: files, folders and patterns.
 *
 * @module
 */

import { globSync } from "node:fs";
import { PICTURE } from "../src/data/_list_folder.ts";
import { GapcamError } from "../src/error.ts";
import { userPath } from "./_command.ts";

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
