import { exists, osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";
import { parseRunEvent } from "./parse_run_event.ts";
import type { RunEvent } from "./run_event.ts";

/**
 * A run's log: one JSON object a line, written as it happens, so that a run
 * that was cut short has its log up to there and a reader may follow it.
 *
 * @example
 * ```ts
 * import { readRunLog } from "@gapcam/gapcam";
 * import { runEvent } from "./run_event.ts";
 * import { RunLog } from "./run_log.ts";
 *
 * const path = await Deno.makeTempFile();
 * {
 *   using log = new RunLog(path);
 *   log.write(runEvent({ event: "stop", reason: "finished", epoch: 2, step: 40 }));
 * }
 * if (readRunLog(path)[0]?.event !== "stop") throw new Error("unexpected");
 * await Deno.remove(path);
 * ```
 */
export class RunLog implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  /** What could not be written yet: it comes before the next event. */
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
   * Appends an event.
   *
   * @throws {GapcamError} If the file cannot be written; the event is kept and
   * tried again before the next one.
   */
  write(event: RunEvent): void {
    const bytes = new TextEncoder().encode(`${JSON.stringify(event)}\n`);
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
 * Reads a run's log. A last line that was cut short is left out, and so are
 * events that this version does not know.
 *
 * @throws {GapcamError} If the file cannot be read, another line is not a JSON
 * object, or the log is of a later version.
 */
export function readRunLog(path: string): RunEvent[] {
  return parseLines(readLines(path), { path });
}

/**
 * The whole lines of a log; the last one without its end is left out, unless it
 * is whole but for that.
 */
export function readLines(path: string): string[] {
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
  const last = lines.pop()!;
  try {
    JSON.parse(last);
    lines.push(last);
  } catch {
    // Cut short while it was written, or nothing.
  }
  return lines;
}

/**
 * Turns lines into events.
 *
 * @param lines Without their ends.
 * @param options The log's `path`, for messages, and the number of the `first`
 * line, from 1. Default: 1.
 */
export function parseLines(
  lines: readonly string[],
  options: { path: string; first?: number },
): RunEvent[] {
  const { path, first = 1 } = options;
  return lines.flatMap((line, i) => {
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch (error) {
      throw damaged(path, `line ${first + i} is not JSON`, error);
    }
    if (
      typeof record !== "object" || record === null || Array.isArray(record)
    ) throw damaged(path, `line ${first + i} is no JSON object`);
    try {
      return parseRunEvent(record as Record<string, unknown>) ?? [];
    } catch (error) {
      if (!(error instanceof GapcamError)) throw error;
      throw new GapcamError(
        error.code,
        `Cannot read run log ${path}: ${error.message}`,
        { cause: error },
      );
    }
  });
}

function damaged(path: string, found: string, cause?: unknown): GapcamError {
  return new GapcamError("bad-data", `Cannot read run log ${path}: ${found}`, {
    cause,
  });
}

/** Removes what follows the last line end: a line that a crash cut short. */
export function dropCutLine(path: string): void {
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
