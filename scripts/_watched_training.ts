/**
 * `--watch` of `deno task train`.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import { WATCH_PORT } from "../src/watch/serve_runs.ts";
import type { Output } from "./_output.ts";
import type { WatchStarted } from "./_watch_worker.ts";
import type { WatchChoice } from "./_watch_page.ts";

/** The page of a run that trains in this process. */
export class WatchedTraining implements Disposable {
  readonly #worker: Worker;
  readonly url: string;

  private constructor(worker: Worker, url: string) {
    this.#worker = worker;
    this.url = url;
  }

  /**
   * Serves the page from a thread of its own, and says where it is.
   *
   * A worker and not a process: to start one, training would need the right to
   * run programs, and with it every other. Maps are computed by one thread on
   * the CPU, so that nothing else of the device is taken.
   *
   * @param run The run's folder; the page shows those beside it too.
   * @param port `--watch`'s value; empty for the usual port.
   * @throws {GapcamError} If the value is no port, or none is free.
   */
  static async open(
    run: string,
    port: string,
    output: Output,
  ): Promise<WatchedTraining> {
    const first = portOf(port);
    const worker = new Worker(new URL("_watch_worker.ts", import.meta.url), {
      type: "module",
    });
    const runs = run.slice(0, Math.max(0, run.lastIndexOf("/"))) || "/";
    const choice: WatchChoice = {
      runs,
      host: undefined,
      port: first,
      device: { kind: "cpu", options: { threads: 1 } },
    };
    const started = await new Promise<WatchStarted>((resolve) => {
      worker.addEventListener("message", ({ data }) => resolve(data));
      worker.addEventListener("error", (event) => {
        // The page may fail; the training goes on.
        event.preventDefault();
        const { message } = event;
        resolve({ error: `Cannot serve the page: ${message}` });
        output.line(`note: the page is gone: ${message}`);
      });
      worker.postMessage(choice);
    });
    if ("error" in started) {
      worker.terminate();
      throw new GapcamError("io", started.error);
    }
    const id = run.slice(run.lastIndexOf("/") + 1);
    const url = `${started.url}#${encodeURIComponent(id)}`;
    output.line(`Watch it learn: ${url}${movedText(started.port, first)}`);
    return new WatchedTraining(worker, url);
  }

  /** Ends the page. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** Says that another port was taken than was asked for. */
export function movedText(port: number, first: number = WATCH_PORT): string {
  return first === 0 || port === first
    ? ""
    : ` (port ${first} is taken by somebody else)`;
}

function portOf(text: string): number {
  if (text === "") return WATCH_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65535) return port;
  throw new GapcamError(
    "invalid-argument",
    `Cannot serve the page at port ${
      JSON.stringify(text)
    }: expected a number ` +
      "from 0 to 65535",
  );
}
