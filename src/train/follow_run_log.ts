import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";
import type { RunEvent } from "./run_event.ts";
import { parseLines } from "./run_log.ts";

/** So much of a log's beginning tells it from another: it holds the time. */
const HEAD_BYTES = 256;

/** Options of {@linkcode followRunLog}. */
export interface FollowOptions {
  /** Aborting ends it. */
  signal?: AbortSignal;
  /** Milliseconds from one look at the file to the next. Default: 250. */
  interval?: number;
}

/**
 * Reads a run's log and then what is added to it, as it is added: those events
 * that are there, and each further one. It ends only where the loop is left or
 * the signal says so.
 *
 * A file that is not there yet is waited for; a line is read once it is whole;
 * events that this version does not know are left out; a file that takes the
 * place of another is read from its beginning.
 *
 * @param path The log, `log.jsonl` in a run's folder.
 * @param options When it ends, and how often it looks.
 * @throws {GapcamError} If the file cannot be read, a whole line is not a JSON
 * object, or the log is of a later version.
 *
 * @example Waiting for the end of a run
 * ```ts
 * import { followRunLog } from "@gapcam/gapcam";
 * import { runEvent } from "./run_event.ts";
 * import { RunLog } from "./run_log.ts";
 *
 * const path = await Deno.makeTempFile();
 * using log = new RunLog(path);
 * log.write(runEvent({ event: "stop", reason: "finished", epoch: 1, step: 20 }));
 * for await (const event of followRunLog(path)) {
 *   if (event.event === "stop") break;
 * }
 * await Deno.remove(path);
 * ```
 */
export async function* followRunLog(
  path: string,
  options: FollowOptions = {},
): AsyncGenerator<RunEvent, void, void> {
  const { signal, interval = 250 } = options;
  let place = BEGINNING;
  while (!signal?.aborted) {
    const { next, lines, replaced } = await more(path, place);
    const first = (replaced ? 0 : place.lines) + 1;
    for (const event of parseLines(lines, { path, first })) {
      yield event;
      if (signal?.aborted) return;
    }
    place = next;
    await wait(interval, signal);
  }
}

/** How far a log was read: always to the end of a line. */
interface Place {
  bytes: number;
  lines: number;
  /** Which file that was. */
  file: number | null;
  /** How it begins. */
  head: string;
}

const BEGINNING: Place = { bytes: 0, lines: 0, file: null, head: "" };

/** The whole lines that were added since. */
async function more(
  path: string,
  since: Place,
): Promise<{ next: Place; lines: string[]; replaced: boolean }> {
  try {
    using file = await Deno.open(path, { read: true });
    const { size, ino } = await file.stat();
    const head = await textOf(file, 0, Math.min(HEAD_BYTES, size));
    const same = size >= since.bytes && head.startsWith(since.head) &&
      (since.file === null || since.file === ino);
    const place = same ? since : BEGINNING;
    const bytes = await bytesOf(file, place.bytes, size);
    const end = bytes.lastIndexOf(10) + 1;
    const lines = new TextDecoder().decode(bytes.subarray(0, end))
      .split("\n").slice(0, -1);
    return {
      next: {
        bytes: place.bytes + end,
        lines: place.lines + lines.length,
        file: ino,
        // No more than was read: a line that is cut may become another.
        head: head.slice(0, Math.min(HEAD_BYTES, place.bytes + end)),
      },
      lines,
      replaced: !same,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return { next: BEGINNING, lines: [], replaced: false };
    }
    throw new GapcamError(
      "io",
      `Cannot read run log ${path}: ${osReason(error)}`,
      { cause: error },
    );
  }
}

/** A character for each byte. */
async function textOf(
  file: Deno.FsFile,
  from: number,
  to: number,
): Promise<string> {
  return String.fromCharCode(...await bytesOf(file, from, to));
}

async function bytesOf(
  file: Deno.FsFile,
  from: number,
  to: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(to - from);
  await file.seek(from, Deno.SeekMode.Start);
  let done = 0;
  while (done < bytes.length) {
    const count = await file.read(bytes.subarray(done));
    // It was cut meanwhile.
    if (!count) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

function wait(
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });
}
