import {
  BEST_NAME,
  CHECKPOINT_NAME,
  FILM_NAME,
  LOG_NAME,
} from "../train/run_folder.ts";
import { runsIn } from "../train/run_name.ts";
import { WatchedRun } from "./_watched_run.ts";
import type { RunLine } from "./run_data.ts";

/** What was written so long ago was written before it was read, in milliseconds. */
const RESTS_MS = 2000;

/** What is new since a number that was told before. */
export interface RunsNews {
  /** A number to ask with next time. */
  sequence: number;
  /** Runs that changed. */
  changed: RunLine[];
  /** Runs that are gone, by id. */
  gone: string[];
  /** Whether some were not read yet, not even once. */
  reading: boolean;
}

interface Watched {
  run: WatchedRun;
  /** The sequence number of its last change. */
  changed: number;
  /** What its folder and its log were when it was read; see `tracesOf`. */
  traces: string | undefined;
}

/**
 * Reads all runs of a folder, and what is added to them. Only what lies in that
 * folder is read: a link that leads out of it is no run.
 */
export class RunsWatcher {
  readonly #folder: string;
  readonly #runs = new Map<string, Watched>();
  readonly #gone = new Map<string, number>();
  #sequence = 0;
  #reading: Promise<void> | undefined;
  #read = -Infinity;

  /** @param folder The folder of runs; it need not be there yet. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Grows by one with each change. */
  get sequence(): number {
    return this.#sequence;
  }

  /** When it was last read to the end, as `performance.now()` has it. */
  get readAt(): number {
    return this.#read;
  }

  /**
   * Reads what is new in every run.
   *
   * @returns Once all is read.
   */
  read(): Promise<void> {
    this.#reading ??= this.#readAll().finally(() => {
      // That all was read is news as well.
      if (this.#read === -Infinity) this.#sequence++;
      this.#read = performance.now();
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** The run of a name; undefined if there is none. */
  run(id: string): WatchedRun | undefined {
    return this.#runs.get(id)?.run;
  }

  /** Which sequence number a run's last change had. */
  changedAt(id: string): number {
    return this.#runs.get(id)?.changed ?? 0;
  }

  /** What changed after a sequence number; all where it is 0. */
  since(sequence: number): RunsNews {
    return {
      sequence: this.#sequence,
      changed: [...this.#runs.values()]
        .filter(({ changed }) => changed > sequence)
        .map(({ run }) => run.line()),
      gone: [...this.#gone].filter(([, at]) => at > sequence)
        .map(([id]) => id),
      reading: this.#read === -Infinity,
    };
  }

  async #readAll(): Promise<void> {
    const base = this.#base();
    const found = new Map(
      (base === undefined ? [] : runsIn(base)).map((folder) => [
        folder.slice(folder.lastIndexOf("/") + 1),
        { folder, traces: tracesOf(folder) },
      ]),
    );
    for (const [id, { folder, traces }] of found) {
      // Of hundreds of runs few go on; the others are to cost next to nothing.
      if (this.#rests(id, traces)) continue;
      if (!staysWithin(folder, base!)) found.delete(id);
    }
    for (const id of this.#runs.keys()) {
      if (found.has(id)) continue;
      this.#runs.delete(id);
      this.#gone.set(id, ++this.#sequence);
    }
    // Names are times: the newest first, so that it can be looked at first.
    for (const [id, { folder, traces }] of [...found].reverse()) {
      if (this.#rests(id, traces)) continue;
      const known = this.#runs.get(id);
      const run = known?.run ?? new WatchedRun(folder);
      const changed = await run.read() || !known;
      if (changed) this.#gone.delete(id);
      this.#runs.set(id, {
        run,
        traces,
        changed: changed ? ++this.#sequence : known!.changed,
      });
    }
  }

  #base(): string | undefined {
    try {
      return Deno.realPathSync(this.#folder);
    } catch {
      return undefined;
    }
  }

  /** Whether nothing can be new in a run that is known. */
  #rests(id: string, traces: string | undefined): boolean {
    const known = this.#runs.get(id);
    return traces !== undefined && known?.traces === traces &&
      known.run.line().state !== "running";
  }
}

/**
 * What changes with a run: when its folder and its log were written, and that
 * they are the same ones. Undefined while that may be yet to come: what is
 * written within the same tick of a clock leaves no trace.
 */
function tracesOf(folder: string): string | undefined {
  try {
    const traces = [folder, `${folder}/${LOG_NAME}`].map((path) => {
      const { ino, size, mtime, isSymlink } = Deno.lstatSync(path);
      return { ino, size, isSymlink, time: mtime?.getTime() ?? NaN };
    });
    const rests = traces.every(({ time }) => Date.now() - time > RESTS_MS);
    return rests ? JSON.stringify(traces) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a run's folder and all that is read of it lie below another. */
function staysWithin(folder: string, base: string): boolean {
  const within = base.endsWith("/") ? base : `${base}/`;
  return [
    folder,
    ...[LOG_NAME, FILM_NAME, CHECKPOINT_NAME, BEST_NAME].map((name) =>
      `${folder}/${name}`
    ),
  ].every((path) => {
    try {
      return Deno.realPathSync(path).startsWith(within);
    } catch (error) {
      // What is not there leads nowhere.
      return error instanceof Deno.errors.NotFound;
    }
  });
}
