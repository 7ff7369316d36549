import { osReason } from "../../_files.ts";
import { probeFolder } from "../../_write_atomically.ts";
import type { ProtoMessage } from "../../_protobuf.ts";
import { GapcamError } from "../../error.ts";
import { versionEvent } from "./_summary.ts";
import { tfRecord } from "./_tf_record.ts";

/** TensorBoard takes a file for its own by this. */
const NAME = "events.out.tfevents";

/** A file of TensorBoard's events; a new one, made with its folder. */
export class EventFile implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  /**
   * @param folder Where.
   * @param time Seconds since 1970 of the first event, which name the file:
   * TensorBoard reads those of a folder in the order of their names.
   */
  constructor(folder: string, time: number) {
    const seconds = String(Math.floor(time)).padStart(10, "0");
    this.#path = folder;
    try {
      Deno.mkdirSync(folder, { recursive: true });
      for (let number = 0;; number++) {
        const path = `${folder}/${NAME}.${seconds}.gapcam.${number}`;
        try {
          this.#file = Deno.openSync(path, { write: true, createNew: true });
          this.#path = path;
          break;
        } catch (error) {
          if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
        }
      }
    } catch (error) {
      throw failure(this.#path, error);
    }
    this.add(versionEvent(time));
  }

  /**
   * Appends an event; whoever reads the file may see it at once.
   *
   * @throws {GapcamError} If it cannot be written.
   */
  add(event: ProtoMessage): void {
    let rest = tfRecord(event.pieces);
    try {
      while (rest.length > 0) {
        rest = rest.subarray(this.#file.writeSync(rest));
      }
    } catch (error) {
      throw failure(this.#path, error);
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/**
 * Makes a folder for files of events.
 *
 * @throws {GapcamError} If they could not be written there.
 */
export function makeEventFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder, { recursive: true });
    probeFolder(folder);
  } catch (error) {
    throw failure(folder, error);
  }
}

/** Whether a folder, or one in it, has events that TensorBoard would show. */
export function hasEvents(folder: string): boolean {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new GapcamError(
      "io",
      `Cannot read ${folder}: ${osReason(error)}`,
      { cause: error },
    );
  }
  return entries.some(({ name, isDirectory }) =>
    isDirectory ? hasEvents(`${folder}/${name}`) : name.includes("tfevents")
  );
}

function failure(path: string, error: unknown): GapcamError {
  return new GapcamError(
    "io",
    `Cannot write TensorBoard events ${path}: ${osReason(error)}`,
    { cause: error },
  );
}
