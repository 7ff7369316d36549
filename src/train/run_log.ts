import { exists, osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";

/** One line of a run's log: what happened, and its numbers. */
export interface RunLogRecord {
  /** What happened, such as `epoch`. */
  event: string;
  /** Its numbers. */
  [name: string]: unknown;
}

/**
 * A run's log: one JSON object a line, written as it happens, so that a run
 * that was cut short has its log up to there and a reader may follow it.
 *
 * @example
 * ```ts
 * import { readRunLog } from "@gapcam/gapcam";
 * import { RunLog } from "./run_log.ts";
 *
 * const path = await Deno.makeTempFile();
 * {
 *   using log = new RunLog(path);
 *   log.write({ event: "epoch", epoch: 1, loss: 2.3 });
 * }
 * if (readRunLog(path)[0]!.loss !== 2.3) throw new Error("unexpected");
 * await Deno.remove(path);
 * ```
 */
export class RunLog implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  /** What could not be written yet: it comes before the next record. */
  #pending = new Uint8Array();
  #closed = false;

  /**
   * Opens a log to append to it.
   *
   * @throws {GapcamError} If the file cannot be written.
   */
  constructor(path: string) {
    this.#path = path;
    try {
      dropCutLine(path);
      this.#file = Deno.openSync(path, { append: true, create: true });
    } catch (error) {
      throw failure(path, error);
    }
  }

  /**
   * Appends a record, stamped with the time.
   *
   * @throws {GapcamError} If the file cannot be written; the record is kept and
   * tried again before the next one.
   */
  write(record: RunLogRecord): void {
    const { event, ...rest } = record;
    const line = { event, time: new Date().toISOString(), ...rest };
    const bytes = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
    const all = new Uint8Array(this.#pending.length + bytes.length);
    all.set(this.#pending);
    all.set(bytes, this.#pending.length);
    this.#pending = all;
    try {
      while (this.#pending.length > 0) {
        const done = this.#file.writeSync(this.#pending);
        this.#pending = this.#pending.subarray(done);
      }
    } catch (error) {
      throw failure(this.#path, error);
    }
  }

  /** Waits until all that was written is on the disk, as far as it can be. */
  sync(): void {
    try {
      this.#file.syncDataSync();
    } catch {
      // A pipe or a device has no disk.
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    if (!this.#closed) this.#file.close();
    this.#closed = true;
  }
}

/**
 * Reads a run's log. A last line that was cut short is left out.
 *
 * @throws {GapcamError} If the file cannot be read or another line is not JSON.
 */
export function readRunLog(path: string): RunLogRecord[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new GapcamError(
      "io",
      `Cannot read run log ${path}: ${osReason(error)}`,
      { cause: error },
    );
  }
  const lines = text.split("\n");
  const last = lines.pop();
  const records = lines.map((line, i): RunLogRecord => {
    try {
      return JSON.parse(line);
    } catch (error) {
      throw new GapcamError(
        "bad-data",
        `Cannot read run log ${path}: line ${i + 1} is not JSON`,
        { cause: error },
      );
    }
  });
  if (last) {
    try {
      records.push(JSON.parse(last));
    } catch {
      // Cut short while it was written.
    }
  }
  return records;
}

/** Removes what follows the last line end: a line that a crash cut short. */
function dropCutLine(path: string): void {
  // A device has no end to read to.
  if (!exists(path) || !Deno.statSync(path).isFile) return;
  const bytes = Deno.readFileSync(path);
  const end = bytes.lastIndexOf(10) + 1;
  if (end < bytes.length) Deno.truncateSync(path, end);
}

function failure(path: string, error: unknown): GapcamError {
  return new GapcamError(
    "io",
    `Cannot write run log ${path}: ${osReason(error)}`,
    { cause: error },
  );
}
