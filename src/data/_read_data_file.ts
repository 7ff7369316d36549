import { exists, osReason } from "../_files.ts";
import { zlib } from "../_node.ts";
import { GapcamError } from "../error.ts";

/** How a gzip file begins. */
const GZIP = [0x1f, 0x8b, 0x08];

/**
 * Reads a file, unpacking it if it is packed and its name ends in `.gz`.
 *
 * @param options `unpack`: whether a packed file may have any name, because the
 * content cannot begin as gzip does. Default: false.
 * @param limit The most bytes that it may hold, unpacked; a larger file is
 * refused before it is read.
 * @throws {GapcamError} If it cannot be read, is larger or is damaged.
 */
export function readDataFile(
  path: string,
  limit: number,
  options: { unpack?: boolean } = {},
): Uint8Array {
  let bytes: Uint8Array;
  try {
    const { size, isFile } = Deno.statSync(path);
    if (!isFile) {
      throw new GapcamError("io", `Cannot read ${path}: it is no file`);
    }
    if (size > limit) {
      throw new GapcamError(
        "bad-data",
        `Cannot read ${path}: it has ${size} bytes, expected at most ${limit}`,
      );
    }
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof GapcamError) throw error;
    throw new GapcamError("io", `Cannot read ${path}: ${osReason(error)}`, {
      cause: error,
    });
  }
  // Browsers unpack on the way without renaming.
  const packed = GZIP.every((byte, i) => bytes[i] === byte);
  if (!packed || !(path.endsWith(".gz") || options.unpack)) return bytes;
  try {
    return zlib().gunzipSync(bytes, { maxOutputLength: limit });
  } catch (error) {
    const code = (error as { code?: string }).code;
    throw new GapcamError(
      "bad-data",
      code === "ERR_BUFFER_TOO_LARGE"
        ? `Cannot read ${path}: unpacked it has more than ${limit} bytes`
        : `Cannot unpack ${path}: it is truncated or damaged; fetch it again`,
      { cause: error },
    );
  }
}

/** How far below its folder a data set's file may lie, and among how many. */
const DEEPEST = 3, MOST_ENTRIES = 10_000;

/**
 * The first of `names` that is a file in `folder`; else one of that name in the
 * folders below, as others unpack archives; else the first there that `matches`.
 *
 * @param options `fits`: whether a path below the folder may be taken at all.
 */
export function findFile(
  folder: string,
  names: readonly string[],
  options: {
    fits?: (below: string) => boolean;
    matches?: (path: string) => boolean;
  } = {},
): string | undefined {
  const direct = names.map((name) => `${folder}/${name}`).find(isFile);
  if (direct !== undefined) return direct;
  const { fits = () => true, matches = () => false } = options;
  const below = listBelow(folder)
    .filter((path) => fits(path.slice(folder.length)));
  for (const name of names) {
    const found = below.find((path) => path.endsWith(`/${name}`));
    if (found !== undefined) return found;
  }
  return below.find(matches);
}

/** What a file begins with, unpacked. */
export function startOf(path: string, length: number): Uint8Array {
  const packed = new Uint8Array(64 * 1024);
  let count: number;
  try {
    using file = Deno.openSync(path);
    count = file.readSync(packed) ?? 0;
  } catch (error) {
    throw new GapcamError("io", `Cannot read ${path}: ${osReason(error)}`, {
      cause: error,
    });
  }
  const bytes = packed.subarray(0, count);
  if (!GZIP.every((byte, i) => bytes[i] === byte)) {
    return bytes.subarray(0, length);
  }
  try {
    const { gunzipSync, constants } = zlib();
    // The rest of the file is not here.
    const finishFlush = constants.Z_SYNC_FLUSH;
    return gunzipSync(bytes, { finishFlush }).subarray(0, length);
  } catch {
    return new Uint8Array();
  }
}

/** Files below a folder, the nearest first, plain ones before packed ones. */
function listBelow(folder: string): string[] {
  const files: string[] = [];
  let entries = 0;
  let level = [folder];
  for (let depth = 0; depth <= DEEPEST && entries < MOST_ENTRIES; depth++) {
    const next: string[] = [], here: string[] = [];
    for (const parent of level) {
      if (!isFolder(parent)) continue;
      for (const { name } of Deno.readDirSync(parent)) {
        if (name.startsWith(".") || name.endsWith(".part")) continue;
        entries++;
        const path = `${parent}/${name}`;
        if (isFile(path)) here.push(path);
        else next.push(path);
      }
    }
    const packed = (path: string) => Number(path.endsWith(".gz"));
    here.sort((a, b) => packed(a) - packed(b) || (a < b ? -1 : 1));
    files.push(...here);
    level = next.sort();
  }
  return files;
}

function isFile(path: string): boolean {
  return exists(path) && Deno.statSync(path).isFile;
}

function isFolder(path: string): boolean {
  return exists(path) && Deno.statSync(path).isDirectory;
}
