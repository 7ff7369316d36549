import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";
import { LogTail } from "../train/_log_tail.ts";
import type { RunEvent } from "../train/run_event.ts";
import {
  BEST_NAME,
  CHECKPOINT_NAME,
  FILM_NAME,
  isHeld,
  LOG_NAME,
} from "../train/run_folder.ts";
import { parseLines } from "../train/run_log.ts";
import { readRunName } from "../train/run_name.ts";
import type { RunState } from "../train/run_summary.ts";
import { RunFold } from "./_run_fold.ts";
import { type Film, FilmReader } from "./film.ts";
import type { CheckpointLine, RunData, RunLine } from "./run_data.ts";

/** Bytes of a log that are read at once: others get their turn in between. */
const AT_ONCE = 4 << 20;

/** A film that nobody asked for so long is no longer kept, in milliseconds. */
const FORGET_MS = 60_000;

/** Whether a process trains is asked so often, in milliseconds. */
const ASK_MS = 2000;

/** A run's folder, read bit by bit. */
export class WatchedRun {
  readonly folder: string;
  readonly id: string;
  #fold = new RunFold();
  #tail: LogTail;
  #film: FilmReader | undefined;
  #filmAsked = -Infinity;
  #filmBytes = 0;
  #problem: string | undefined;
  #held = { asked: -Infinity, is: false };
  #files = "";
  #state: RunState = "unlogged";
  #name: string | undefined;
  #checkpoints: CheckpointLine[] = [];
  #reading: Promise<boolean> | undefined;

  /** @param folder A folder that has been found to be a run's. */
  constructor(folder: string) {
    this.folder = folder;
    this.id = folder.slice(folder.lastIndexOf("/") + 1);
    this.#tail = new LogTail(`${folder}/${LOG_NAME}`);
  }

  /** Its film, read as far as it is there; undefined without one. */
  async film(): Promise<Film | undefined> {
    this.#filmAsked = performance.now();
    const reader = this.#film ??= new FilmReader(this.folder);
    try {
      await reader.read();
    } catch {
      // A film that cannot be read is none.
      return undefined;
    }
    return reader.film;
  }

  /** Reads on; whether there was anything new. */
  read(): Promise<boolean> {
    this.#reading ??= this.#readOn().finally(() => this.#reading = undefined);
    return this.#reading;
  }

  /** What a list shows of it. */
  line(): RunLine {
    return {
      id: this.id,
      name: this.#name,
      state: this.#state,
      problem: this.#problem,
      ...this.#fold.line(),
    };
  }

  /** All but the film. */
  data(): RunData {
    const data = this.#fold.data();
    return {
      ...this.line(),
      ...data,
      checkpoints: this.#checkpoints.map((line) => {
        const saved = data.saved.find(({ file }) => file === line.file);
        const best = line.file === BEST_NAME ? data.best : undefined;
        return {
          ...line,
          epoch: best?.epoch ?? saved?.epoch,
          step: best?.step ?? saved?.step,
        };
      }),
      filmBytes: this.#filmBytes,
    };
  }

  async #readOn(): Promise<boolean> {
    const changed = await this.#readLog();
    // Films are large, and few are looked at.
    if (performance.now() - this.#filmAsked > FORGET_MS) this.#film = undefined;
    return this.#look() || changed;
  }

  async #readLog(): Promise<boolean> {
    let changed = false;
    try {
      for (let more = true; more;) {
        const next = await this.#tail.next(AT_ONCE);
        more = next.more;
        if (next.replaced) {
          this.#fold = new RunFold();
          this.#problem = undefined;
        }
        changed ||= next.replaced || next.lines.length > 0;
        // What follows a damaged line is not understood either.
        if (this.#problem === undefined) this.#add(next.lines, next.first);
        // Whoever waits for a page has its turn.
        if (more) await new Promise((resolve) => setTimeout(resolve));
      }
    } catch (error) {
      const problem = error instanceof GapcamError
        ? error.message
        : osReason(error);
      changed ||= problem !== this.#problem;
      this.#problem = problem;
    }
    return changed;
  }

  #add(lines: readonly string[], first: number): void {
    const path = `${this.id}/${LOG_NAME}`;
    let events: RunEvent[];
    try {
      events = parseLines(lines, { path, first });
    } catch (error) {
      if (lines.length === 1) throw error;
      for (const [i, line] of lines.entries()) this.#add([line], first + i);
      return;
    }
    for (const event of events) this.#fold.add(event);
  }

  /** What is not in the log: files, a name, whether a process trains. */
  #look(): boolean {
    const before = JSON.stringify([this.#state, this.#name, this.#files]);
    this.#checkpoints = [BEST_NAME, CHECKPOINT_NAME].flatMap((file) => {
      try {
        const { isFile, size, mtime } = Deno.statSync(
          `${this.folder}/${file}`,
        );
        if (!isFile) return [];
        return {
          file,
          bytes: size,
          written: mtime?.toISOString(),
          epoch: undefined,
          step: undefined,
        };
      } catch {
        return [];
      }
    });
    this.#filmBytes = sizeOf(`${this.folder}/${FILM_NAME}`);
    this.#files = JSON.stringify([this.#checkpoints, this.#filmBytes]);
    this.#name = readRunName(this.folder);
    this.#state = this.#stateNow();
    return before !== JSON.stringify([this.#state, this.#name, this.#files]);
  }

  #stateNow(): RunState {
    const { ending, line } = {
      ending: this.#fold.ending,
      line: this.#fold.line(),
    };
    if (ending === "none") {
      // To ask takes the lock for a moment: not more often than is needed.
      if (performance.now() - this.#held.asked > ASK_MS) {
        this.#held = { asked: performance.now(), is: isHeld(this.folder) };
      }
      if (this.#held.is) return "running";
      return line.started === undefined ? "unlogged" : "cut";
    }
    return ending;
  }
}

/** Bytes of a file; 0 without one. */
function sizeOf(path: string): number {
  try {
    const { isFile, size } = Deno.statSync(path);
    return isFile ? size : 0;
  } catch {
    return 0;
  }
}
