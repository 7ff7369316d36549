/**
 * A worker that serves the page of runs beside a training: what it reads and
 * sends takes nothing from the thread that trains. `_watched_training.ts` starts
 * it.
 *
 * @module
 */

import { osReason } from "../src/_files.ts";
import { GapcamError } from "../src/error.ts";
import { openWatchPage, type WatchChoice } from "./_watch_page.ts";

/** What the worker says once. */
export type WatchStarted = { url: string; port: number } | { error: string };

addEventListener("message", (event) => {
  const { data } = event as MessageEvent<WatchChoice>;
  const say = (message: WatchStarted) =>
    (self as unknown as { postMessage(message: unknown): void })
      .postMessage(message);
  try {
    const { url, port } = openWatchPage(data);
    say({ url, port });
  } catch (error) {
    say({
      error: error instanceof GapcamError ? error.message : osReason(error),
    });
  }
});
