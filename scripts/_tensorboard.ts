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
  #failed = false;

  /**
   * @param folder What was asked for.
   * @param run The run's folder.
   * @param options Whether the run goes on, and what says that it failed.
   * @throws {GapcamError} If the folder holds the files of another run.
   */
  constructor(
    folder: string,
    run: string,
    options: { resumes: boolean; print: (line: string) => void },
  ) {
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
    this.#log = new TensorboardLog(path);
    this.#run = run;
    this.#print = options.print;
    const log = `${run}/${LOG_NAME}`;
    // A run that was not shown until now is shown from its beginning.
    if (options.resumes && !there && exists(log)) {
      for (const event of readRunLog(log)) this.add(event);
    }
  }

  /** Writes what an event says. */
  add(event: RunEvent): void {
    if (this.#failed) return;
    try {
      this.#log.add(event);
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
