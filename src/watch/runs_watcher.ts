import {
  BEST_NAME,
  CHECKPOINT_NAME,
  FILM_NAME,
  LOG_NAME,
} from "../train/run_folder.ts";
import { runsIn } from "../train/run_name.ts";
import { WatchedRun } from "./_watched_run.ts";
import type { RunLine } from "./run_data.ts";

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

/**
 * Reads all runs of a folder, and what is added to them. Only what lies in that
 * folder is read: a link that leads out of it is no run.
 */
export class RunsWatcher {
  readonly #folder: string;
  readonly #runs = new Map<string, { run: WatchedRun; changed: number }>();
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
    const found = new Map(
      this.#found().map((folder) => [
        folder.slice(folder.lastIndexOf("/") + 1),
        folder,
      ]),
    );
    for (const id of this.#runs.keys()) {
      if (found.has(id)) continue;
      this.#runs.delete(id);
      this.#gone.set(id, ++this.#sequence);
    }
    // Names are times: the newest first, so that it can be looked at first.
    for (const [id, folder] of [...found].reverse()) {
      const known = this.#runs.get(id);
      const run = known?.run ?? new WatchedRun(folder);
      const changed = await run.read();
      if (known && !changed) continue;
      this.#gone.delete(id);
      this.#runs.set(id, { run, changed: ++this.#sequence });
    }
  }

  #found(): string[] {
    let base: string;
    try {
      base = Deno.realPathSync(this.#folder);
    } catch {
      return [];
    }
    return runsIn(base).filter((folder) => staysWithin(folder, base));
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
