import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";
import { Random } from "../random.ts";
import type { UnreadableFile } from "./dataset.ts";

/** The images of one split. */
export interface FolderScan {
  classes: string[];
  /** Going round the classes, so that any first part is even. */
  files: { path: string; label: number }[];
  /** Images of kinds that are not read. */
  refused: UnreadableFile[];
}

const READ = /\.(jpe?g|jpe|jfif|png)$/i;
// Left out aloud: somebody put these here as images.
const NOT_READ = /\.(gif|webp|bmp|tiff?|heic|heif|avif|jxl)$/i;

/** Finds the images of a split in a folder of classes; see `openFolder()`. */
export function scanFolder(
  split: "train" | "test",
  folder: string,
  options: { testFraction?: number; seed: number },
): FolderScan {
  const top = subfolders(folder);
  const has = { train: top.includes("train"), test: top.includes("test") };
  const { testFraction } = options;
  if (has.train && has.test) {
    if (testFraction !== undefined) {
      fail(folder, "it has a test split of its own", "none with a fraction");
    }
    const classes = classesOf(`${folder}/train`);
    if (split === "train") return scan(`${folder}/train`, classes);
    const extra = subfolders(`${folder}/test`).find((name) =>
      !classes.includes(name)
    );
    if (extra !== undefined) {
      fail(
        `${folder}/test`,
        `the class ${JSON.stringify(extra)} is not in ${folder}/train`,
        "the same classes",
      );
    }
    return scan(`${folder}/test`, classes, { mayLack: true });
  }
  if (has.test) fail(folder, "a folder test but no train", "both");
  if (has.train && testFraction === undefined) {
    fail(folder, "a folder train but no test", "both, or a test fraction");
  }
  const root = has.train ? `${folder}/train` : folder;
  const fraction = testFraction ?? 0.2;
  if (!(fraction > 0 && fraction < 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot split ${root}: found a test fraction of ${fraction}, expected ` +
        "a number between 0 and 1",
    );
  }
  return scan(root, classesOf(root), {
    pick: (names) => pick(names, split, { fraction, seed: options.seed }),
  });
}

function classesOf(folder: string): string[] {
  const classes = subfolders(folder);
  if (classes.length === 0) {
    fail(folder, "no folders", "one for each class, with PNG and JPEG files");
  }
  return classes;
}

function scan(
  root: string,
  classes: string[],
  options: {
    mayLack?: boolean;
    pick?: (names: string[]) => string[];
  } = {},
): FolderScan {
  const refused: UnreadableFile[] = [];
  const found = classes.map((name) => {
    const all = filesBelow(`${root}/${name}`, {
      missing: options.mayLack ?? false,
    });
    const images = all.filter((path) => READ.test(path));
    for (const path of all.filter((path) => NOT_READ.test(path))) {
      refused.push({
        path: `${root}/${name}/${path}`,
        reason: `Cannot read ${root}/${name}/${path}: expected a PNG or JPEG ` +
          "file",
      });
    }
    if (images.length === 0 && !options.mayLack) {
      fail(
        `${root}/${name}`,
        "no PNG or JPEG file",
        "some, or no such folder",
      );
    }
    return (options.pick?.(images) ?? images)
      .map((path) => `${root}/${name}/${path}`);
  });
  const files: FolderScan["files"] = [];
  const longest = Math.max(...found.map((paths) => paths.length));
  for (let i = 0; i < longest; i++) {
    found.forEach((paths, label) => {
      if (i < paths.length) files.push({ path: paths[i]!, label });
    });
  }
  if (files.length === 0) {
    fail(root, "no images for this split", "more, or another test fraction");
  }
  return { classes, files, refused };
}

/** Draws the test images of one class by a hash of their names. */
function pick(
  names: string[],
  split: "train" | "test",
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

/** Names of the folders in a folder, hidden ones left out, sorted. */
function subfolders(folder: string): string[] {
  return entries(folder)
    .filter((entry) => isFolder(`${folder}/${entry.name}`, entry))
    .map((entry) => entry.name);
}

/** Paths of all files below a folder, sorted; links are followed. */
function filesBelow(
  folder: string,
  options: { missing: boolean },
): string[] {
  if (options.missing && !isFolder(folder)) return [];
  const paths: string[] = [];
  function visit(below: string, parents: readonly string[]) {
    const here = below === "" ? folder : `${folder}/${below}`;
    const real = Deno.realPathSync(here);
    // A link to a folder around it would never end.
    if (parents.includes(real)) return;
    for (const entry of entries(here)) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (isFolder(`${folder}/${path}`, entry)) visit(path, [...parents, real]);
      else paths.push(path);
    }
  }
  visit("", []);
  return paths;
}

function entries(folder: string) {
  try {
    return [...Deno.readDirSync(folder)]
      .filter(({ name }) => !name.startsWith("."))
      .sort((a, b) => compare(a.name, b.name));
  } catch (error) {
    throw new GapcamError("io", `Cannot read ${folder}: ${osReason(error)}`, {
      cause: error,
    });
  }
}

function isFolder(path: string, entry?: Deno.DirEntry): boolean {
  if (entry && !entry.isSymlink) return entry.isDirectory;
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    // A link to nothing or to itself: reading it says so.
    return false;
  }
}

/** By code units: the same on every machine, whatever its language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function fail(folder: string, found: string, expected: string): never {
  throw new GapcamError(
    "bad-data",
    `Cannot open the image folder ${folder}: found ${found}, expected ` +
      expected,
  );
}
