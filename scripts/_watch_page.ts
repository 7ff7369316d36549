/**
 * The page that shows runs, as commands serve it.
 *
 * @module
 */

import { isLoopback } from "../src/watch/_request_checks.ts";
import { type RunsServer, serveRuns } from "../src/watch/serve_runs.ts";
import type { DeviceChoice } from "./_device_flags.ts";
import { ExplainingWorker } from "./_explaining.ts";

/** What to serve, and where. */
export interface WatchChoice {
  /** The folder of runs. */
  runs: string;
  /** Where to listen; this machine alone if undefined. */
  host: string | undefined;
  /** The first port to try; the usual one if undefined. */
  port: number | undefined;
  /** Where maps are computed. */
  device: DeviceChoice;
}

/**
 * Serves the page.
 *
 * @throws {GapcamError} If no port is free.
 */
export function openWatchPage(choice: WatchChoice): RunsServer {
  const { host = "127.0.0.1", port } = choice;
  const explaining = new ExplainingWorker(choice.device);
  const server = serveRuns(choice.runs, {
    hostname: host,
    explaining,
    ...(port === undefined ? {} : { port }),
    // Whoever can reach the page must know a word that nobody guesses.
    ...(isLoopback(host) ? {} : { token: freshToken() }),
  });
  return {
    url: server.url,
    port: server.port,
    finished: server.finished,
    async [Symbol.asyncDispose]() {
      explaining[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function freshToken(): string {
  return crypto.getRandomValues(new Uint8Array(18))
    .toBase64({ alphabet: "base64url" });
}
