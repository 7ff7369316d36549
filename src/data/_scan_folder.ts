import { GapcamError } from "../error.ts";
import { Random } from "../random.ts";
import { type ClassFolder, fail, folderLayout } from "./_folder_layout.ts";
import { compare, filesBelow, PICTURE } from "./_list_folder.ts";
import type { SplitName, UnreadableFile } from "./dataset.ts";
import { KINDS_READ } from "../image/_image_kind.ts";

/** The images of one split. */
export interface FolderScan {
  classes: string[];
  /** Going round the classes, so that any first part is even. */
  files: { path: string; label: number }[];
  /** Which classes each image shows, where they may be several. */
  targets?: Float32Array;
  /** Images of kinds that are not read. */
  refused: UnreadableFile[];
  /** What was taken for what. */
  notes: string[];
}

// Left out aloud: somebody put these here as images.
const NOT_READ =
  /\.(heic|heif|jxl|jp2|j2k|svg|psd|ico|tga|p[bgp]m|dng|cr2|nef|arw)$/i;

/** Finds the images of a split in a folder of classes; see `openFolder()`. */
export function scanFolder(
  split: SplitName,
  folder: string,
  options: { testFraction?: number; seed: number },
): FolderScan {
  const { testFraction: fraction = 0.2, seed } = options;
  const layout = folderLayout(folder, options);
  const { root, classes, test, validation, notes } = layout;
  if (split === "validation") {
    if (validation) {
      return { ...scan(root, validation, { mayLack: true }), notes };
    }
    throw new GapcamError(
      "not-found",
      `Cannot open the image folder ${folder}: found no split for ` +
        "validation, expected val beside train and test",
    );
  }
  if (test) {
    const found = split === "train" ? classes : test;
    return { ...scan(root, found, { mayLack: split === "test" }), notes };
  }
  if (!(fraction > 0 && fraction < 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot split ${root}: found a test fraction of ${fraction}, expected ` +
        "a number between 0 and 1",
    );
  }
  const drawn = scan(root, classes, {
    pick: (names) => pick(names, split, { fraction, seed }),
  });
  return { ...drawn, notes };
}

function scan(
  root: string,
  classes: readonly ClassFolder[],
  options: { mayLack?: boolean; pick?: (names: string[]) => string[] },
): Omit<FolderScan, "notes"> {
  const { mayLack, pick = (names) => names } = options;
  const refused: UnreadableFile[] = [];
  const found = classes.map(({ name, folders }) => {
    const paths = new Map<string, string>();
    for (const folder of folders) {
      for (const below of filesBelow(folder)) {
        paths.set(
          distinct(below.normalize("NFC"), paths),
          `${folder}/${below}`,
        );
      }
    }
    const names = [...paths.keys()];
    const images = names.filter((path) => PICTURE.test(path));
    const others = names.filter((path) => NOT_READ.test(path));
    for (const other of pick(others)) {
      const path = paths.get(other)!;
      refused.push({
        path,
        reason: `Cannot read ${path}: expected ${KINDS_READ}`,
      });
    }
    if (images.length === 0 && !mayLack) {
      const files = others.length > 0
        ? `no picture of a kind that is read (${others[0]})`
        : "no picture";
      fail(
        folders[0] ?? `${root}/${name}`,
        `${files} for the class ${JSON.stringify(name)}`,
        "some, or no such folder",
      );
    }
    return pick(images).map((image) => paths.get(image)!);
  });
  const files = goRound(found);
  if (files.length === 0) {
    fail(root, "no images for this split", "more, or another test fraction");
  }
  return { classes: classes.map(({ name }) => name), files, refused };
}

/** Files of each class, one of each after the other, so that any first part is even. */
export function goRound(
  classes: readonly (readonly string[])[],
): FolderScan["files"] {
  const files: FolderScan["files"] = [];
  const longest = Math.max(...classes.map((paths) => paths.length));
  for (let i = 0; i < longest; i++) {
    classes.forEach((paths, label) => {
      if (i < paths.length) files.push({ path: paths[i]!, label });
    });
  }
  return files;
}

/** A name that is not taken: two folders of one class may hold the same. */
function distinct(name: string, taken: ReadonlyMap<string, string>): string {
  while (taken.has(name)) name = `_/${name}`;
  return name;
}

/** Draws the test images of one class by a hash of their names. */
export function pick(
  names: string[],
  split: SplitName,
  options: { fraction: number; seed: number },
): string[] {
  const ranked = names
    .map((name) => ({ name, rank: rankOf(name, options.seed) }))
    .sort((a, b) => a.rank - b.rank || compare(a.name, b.name));
  const tests = ranked
    .slice(0, Math.round(names.length * options.fraction))
    .map(({ name }) => name);
  const chosen = new Set(tests);
  return names.filter((name) => chosen.has(name) === (split === "test"));
}

function rankOf(name: string, seed: number): number {
  // FNV-1a, and a generator to mix it.
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return new Random(seed, hash >>> 0).nextUint32();
}
