import { LogTail } from "./_log_tail.ts";
import type { RunEvent } from "./run_event.ts";
import { parseLines } from "./run_log.ts";

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
  const tail = new LogTail(path);
  while (!signal?.aborted) {
    const { lines, first } = await tail.next();
    for (const event of parseLines(lines, { path, first })) {
      yield event;
      if (signal?.aborted) return;
    }
    await wait(interval, signal);
  }
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
