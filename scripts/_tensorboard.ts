/**
 * TensorBoard's files of a run, while it trains and afterwards.
 *
 * @module
 */

import { exists } from "../src/_files.ts";
import { GapcamError } from "../src/error.ts";
import type { RunEvent } from "../src/train/run_event.ts";
import { LOG_NAME } from "../src/train/run_folder.ts";
import { readRunLog } from "../src/train/run_log.ts";
import { FilmReader } from "../src/watch/film.ts";
import { frameAfter } from "../src/watch/tensorboard/_frame_after.ts";
import {
  hasEvents,
  makeEventFolder,
} from "../src/watch/tensorboard/_event_file.ts";
import { TensorboardLog } from "../src/watch/tensorboard/tensorboard_log.ts";
import { userPath } from "./_command.ts";
import { shownPath, typedPath } from "./_runs.ts";

/** The folder of a run's files, named as the run's own. */
export function tensorboardFolder(folder: string, run: string): string {
  const name = run.replace(/\/+$/, "");
  return `${userPath(folder).replace(/\/+$/, "")}/${
    name.slice(name.lastIndexOf("/") + 1)
  }`;
}

/** Files of a run that is under way. They may fail, the run goes on. */
export class LiveTensorboard implements Disposable {
  readonly #log: TensorboardLog;
  readonly #run: string;
  readonly #print: (line: string) => void;
  readonly #film: FilmReader;
  #failed = false;

  private constructor(
    log: TensorboardLog,
    run: string,
    print: (line: string) => void,
  ) {
    this.#log = log;
    this.#run = run;
    this.#print = print;
    this.#film = new FilmReader(run);
  }

  /**
   * Makes sure that the files can be written.
   *
   * @param folder What was asked for.
   * @param run The run's folder.
   * @param options Whether the run goes on, and what says that it failed.
   * @throws {GapcamError} If the folder holds the files of another run.
   */
  static async open(
    folder: string,
    run: string,
    options: { resumes: boolean; print: (line: string) => void },
  ): Promise<LiveTensorboard> {
    const path = tensorboardFolder(folder, run);
    // Before anything is trained.
    makeEventFolder(path);
    const there = hasEvents(path);
    if (there && !options.resumes) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot write TensorBoard events to ${shownPath(path)}: it holds ` +
          "those of another run; choose another folder or remove it first",
      );
    }
    const live = new LiveTensorboard(
      new TensorboardLog(path),
      run,
      options.print,
    );
    const log = `${run}/${LOG_NAME}`;
    // A run that was not shown until now is shown from its beginning.
    if (options.resumes && !there && exists(log)) {
      for (const event of readRunLog(log)) await live.add(event);
    }
    return live;
  }

  /** Writes what an event says, and what the run's film shows after it. */
  async add(event: RunEvent): Promise<void> {
    if (this.#failed) return;
    try {
      this.#log.add(event);
      await this.#film.read();
      const { film } = this.#film;
      const frame = film && frameAfter(event, film);
      if (!frame || this.#log.filmProblem) return;
      await this.#log.addFrame(film, frame, event.time);
      const problem = this.#log.filmProblem;
      if (problem) this.#print(`note: TensorBoard has no maps: ${problem}`);
    } catch (error) {
      if (!(error instanceof GapcamError)) throw error;
      this.#failed = true;
      this.#print(
        `note: ${error.message}; the run goes on without them. Write them ` +
          `afterwards with: deno task export --format tensorboard ` +
          `--checkpoint ${typedPath(this.#run)} --out FOLDER`,
      );
    }
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]();
  }
}
