import { osReason } from "../_files.ts";
import { syncFolder } from "../_write_atomically.ts";
import { GapcamError } from "../error.ts";

/** What is known of a part file, kept beside it. */
export interface PartState {
  url: string;
  /** A strong ETag or a date, to ask for the rest of the same file only. */
  validator?: string;
}

/** Removes a part file and what is kept beside it. */
export function removePart(part: string): void {
  for (const path of [part, `${part}.json`]) {
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Turns a failure to write into one sentence. */
export function writeFailure(path: string, error: unknown): GapcamError {
  const code = (error as { code?: string }).code;
  const reason = code === "ENOSPC" || code === "EDQUOT"
    ? "the disk is full; make room and run the command again to go on"
    : osReason(error);
  return new GapcamError("io", `Cannot write ${path}: ${reason}`, {
    cause: error,
  });
}

/**
 * Refuses to write through what is no plain file: a link that somebody else put
 * there would lead out of the folder.
 */
export function refuseLink(path: string): void {
  let found: Deno.FileInfo;
  try {
    found = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw writeFailure(path, error);
  }
  if (found.isFile) return;
  throw new GapcamError(
    "io",
    `Cannot write ${path}: found ${
      found.isSymlink ? "a link" : "something else"
    }, expected a file or nothing; remove it`,
  );
}

/** Opens a part file for this process alone. */
export async function openPart(
  part: string,
  name: string,
): Promise<Deno.FsFile> {
  let file: Deno.FsFile;
  refuseLink(part);
  refuseLink(`${part}.json`);
  try {
    file = await Deno.open(part, { create: true, read: true, write: true });
  } catch (error) {
    throw writeFailure(part, error);
  }
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new GapcamError(
    "busy",
    `Cannot fetch ${name}: another process is writing ${part}`,
  );
}

/** What a file holds from where it is read. */
export async function* replay(file: Deno.FsFile) {
  for (;;) {
    const buffer = new Uint8Array(256 * 1024);
    const count = await file.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

/** Writes all of some bytes. */
export async function append(
  file: Deno.FsFile,
  bytes: Uint8Array,
  name: string,
) {
  try {
    for (let at = 0; at < bytes.length;) {
      at += await file.write(bytes.subarray(at));
    }
  } catch (error) {
    throw writeFailure(name, error);
  }
}

/** The state of a part file that may be continued from `url`. */
export function readState(
  part: string,
  url: string,
  checked: boolean,
): PartState | undefined {
  try {
    const state = JSON.parse(Deno.readTextFileSync(`${part}.json`));
    if (state.url === url) return state;
    // A mirror has other validators; size and checksum must then suffice.
    return checked ? { url } : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps what is known of a part file beside it. */
export function writeState(part: string, state: PartState): void {
  try {
    Deno.writeTextFileSync(`${part}.json`, JSON.stringify(state));
  } catch (error) {
    throw writeFailure(`${part}.json`, error);
  }
}

/**
 * Gives a complete file its name, in place of what has it. A power cut leaves
 * the old file or the new one whole.
 */
export async function moveIntoPlace(part: string, path: string): Promise<void> {
  try {
    {
      using file = await Deno.open(part, { read: true, write: true });
      await file.sync();
    }
    await Deno.rename(part, path);
  } catch (error) {
    throw writeFailure(path, error);
  }
  await syncFolder(path.slice(0, path.lastIndexOf("/")) || "/");
}
