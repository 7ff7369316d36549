import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";

/** Names of the images that are read. */
export const PICTURE = /\.(jpe?g|jpe|jfif|png|apng|webp|gif|avif|tiff?|bmp)$/i;

/**
 * What file managers, archivers and storage devices leave beside pictures;
 * hidden names are left out anyway.
 */
const LEFT_BEHIND = new Set([
  "__macosx",
  "@eadir",
  "#recycle",
  "$recycle.bin",
  "system volume information",
  "lost+found",
  "__pycache__",
  "thumbs.db",
  "desktop.ini",
  "icon\r",
]);

/** Names of the folders in a folder, sorted; what nobody put there is left out. */
export function subfolders(folder: string): string[] {
  return named(folder, (entry) => isFolder(`${folder}/${entry.name}`, entry));
}

/** Names of the other entries of a folder, sorted. */
export function filesIn(folder: string): string[] {
  return named(folder, (entry) => !isFolder(`${folder}/${entry.name}`, entry));
}

function named(
  folder: string,
  keep: (entry: Deno.DirEntry) => boolean,
): string[] {
  return entries(folder, keep).map(({ name }) => name);
}

/**
 * Paths of all files below a folder, sorted; links are followed, each folder is
 * gone into once.
 */
export function filesBelow(folder: string): string[] {
  const paths: string[] = [];
  const seen = new Set<string>();
  function visit(below: string) {
    const here = below === "" ? folder : `${folder}/${below}`;
    // Links to each other make more paths than there are folders.
    const identity = identityOf(here);
    if (seen.has(identity)) return;
    seen.add(identity);
    for (const entry of entries(here)) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (isFolder(`${folder}/${path}`, entry)) visit(path);
      else paths.push(path);
    }
  }
  visit("");
  return paths;
}

/** What tells a folder from another, by whatever path. */
function identityOf(folder: string): string {
  const { dev, ino } = Deno.statSync(folder);
  // Resolving a path takes a step for each folder in it, this takes one.
  return ino === null ? Deno.realPathSync(folder) : `${dev} ${ino}`;
}

function entries(
  folder: string,
  keep: (entry: Deno.DirEntry) => boolean = () => true,
): Deno.DirEntry[] {
  try {
    const kept: Deno.DirEntry[] = [];
    for (const entry of Deno.readDirSync(folder)) {
      const { name } = entry;
      if (name.startsWith(".") || LEFT_BEHIND.has(name.toLowerCase())) continue;
      if (keep(entry)) kept.push(entry);
    }
    return kept.sort((a, b) => compare(a.name, b.name));
  } catch (error) {
    throw new GapcamError("io", `Cannot read ${folder}: ${osReason(error)}`, {
      cause: error,
    });
  }
}

function isFolder(path: string, entry: Deno.DirEntry): boolean {
  if (!entry.isSymlink) return entry.isDirectory;
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    // A link to nothing or to itself: reading it says so.
    return false;
  }
}

/** By code units: the same on every machine, whatever its language. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
