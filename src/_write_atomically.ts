import { GapcamError } from "./error.ts";
import { osReason } from "./_files.ts";

/** What a file is called while it is written; short, whatever its final name. */
const TEMPORARY = /^\.gapcam-[0-9a-f]{8}\.tmp$/;

/** Folders that this process has tidied. */
const tidied = new Set<string>();

/**
 * Writes a file so that its name never stands for half of it: beside the final
 * name, through to the disk, then renamed. On failure the old file stays and
 * the new one is removed; what a process that was killed left in the folder is
 * removed as well.
 *
 * @param path The final name.
 * @param chunks What to write, in order.
 * @param options `makeFolder`: whether to make its folder. Default: false.
 * @throws {GapcamError} If the disk is full, the folder is missing, the name is
 * that of something that is no file, ...
 */
export async function writeAtomically(
  path: string,
  chunks: Iterable<Uint8Array>,
  options: { makeFolder?: boolean } = {},
): Promise<void> {
  const folder = folderOf(path);
  let temporary: string | undefined;
  try {
    if (options.makeFolder) await Deno.mkdir(folder, { recursive: true });
    assertReplaceable(path);
    tidy(folder);
    {
      using file = openTemporary(folder, (name) => temporary = name);
      for (const chunk of chunks) {
        let written = 0;
        while (written < chunk.length) {
          written += await file.write(chunk.subarray(written));
        }
      }
      await file.sync();
      await Deno.rename(temporary!, path);
    }
    await syncFolder(folder);
  } catch (error) {
    if (temporary) await Deno.remove(temporary).catch(() => {});
    throw new GapcamError(
      "io",
      `Cannot write ${path}: ${reason(error)}`,
      { cause: error },
    );
  }
}

/**
 * Removes what writers that are gone left in a folder: temporary files that
 * nobody holds a lock on. A lock ends with its process, however that ends.
 */
export function removeStrayFiles(folder: string): void {
  let names: string[];
  try {
    names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return;
  }
  for (const name of names) {
    if (!TEMPORARY.test(name)) continue;
    try {
      const path = `${folder}/${name}`;
      if (!Deno.lstatSync(path).isFile) continue;
      using file = Deno.openSync(path, { read: true });
      // Where locks do not work, nobody can tell whether the writer lives.
      if (file.tryLockSync(true)) Deno.removeSync(path);
    } catch {
      // Renamed meanwhile, or not ours to remove.
    }
  }
}

/**
 * Makes sure that files can be made in a folder, and removes strays.
 *
 * @throws What the system says, if they cannot.
 */
export function probeFolder(folder: string): void {
  removeStrayFiles(folder);
  let name: string | undefined;
  try {
    using file = openTemporary(folder, (made) => name = made);
    file.writeSync(new Uint8Array(1));
  } finally {
    if (name) Deno.removeSync(name);
  }
}

/**
 * Makes sure that {@linkcode writeAtomically} could write a file, for what takes
 * long before it does.
 *
 * @throws {GapcamError} If it could not, as it would say itself.
 */
export function assertWritable(path: string): void {
  try {
    assertReplaceable(path);
    probeFolder(folderOf(path));
  } catch (error) {
    throw new GapcamError(
      "io",
      `Cannot write ${path}: ${reason(error)}`,
      { cause: error },
    );
  }
}

/** Once for each process and folder: a folder may be large. */
function tidy(folder: string): void {
  if (tidied.has(folder)) return;
  tidied.add(folder);
  removeStrayFiles(folder);
}

/** Makes a file of a new name and locks it for as long as it is open. */
function openTemporary(
  folder: string,
  onName: (name: string) => void,
): Deno.FsFile {
  for (;;) {
    const name = `${folder}/.gapcam-${crypto.randomUUID().slice(0, 8)}.tmp`;
    const file = Deno.openSync(name, { write: true, createNew: true });
    onName(name);
    if (isOurs(file)) return file;
    // Who tidies the folder came between making the file and locking it.
    file.close();
  }
}

function isOurs(file: Deno.FsFile): boolean {
  try {
    return file.tryLockSync(true) && file.statSync().nlink !== 0;
  } catch {
    // No locks here: then nobody removes it either.
    return true;
  }
}

/** Refuses to put a file in the place of a folder or of a device. */
function assertReplaceable(path: string): void {
  let found: Deno.FileInfo;
  try {
    found = Deno.statSync(path);
  } catch {
    return;
  }
  if (found.isFile) return;
  throw new Error(found.isDirectory ? "it is a folder" : "it is no file");
}

/** A new name is on the disk only when its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    using file = await Deno.open(folder, { read: true });
    await file.sync();
  } catch {
    // Some file systems cannot; the file itself is there.
  }
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "its folder does not exist";
  return osReason(error);
}
