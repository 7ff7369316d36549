import { GapcamError } from "../error.ts";
import { osReason } from "../_files.ts";
import { EventStreams } from "./_event_stream.ts";
import { answer } from "./_answers.ts";
import { isLoopback, refusalOf } from "./_request_checks.ts";
import { failed, SECURITY_HEADERS } from "./_responses.ts";
import type { Explaining } from "./explaining.ts";
import { RunsWatcher } from "./runs_watcher.ts";

/** The port that is tried first. */
export const WATCH_PORT = 7117;

/** Ports that are tried one after the other. */
const PORTS = 20;

/** Options of {@linkcode serveRuns}. */
export interface ServeRunsOptions {
  /** Where to listen: a name or an address. Default: `127.0.0.1`. */
  hostname?: string;
  /** The first port to try; the next ones follow. Default: 7117. */
  port?: number;
  /**
   * What whoever asks must know. Needed where others than this machine can
   * reach the page. Default: nothing.
   */
  token?: string;
  /** What computes maps; without it the page shows what is there. */
  explaining?: Explaining;
  /** Milliseconds from one look at the runs to the next. Default: 1000. */
  interval?: number;
}

/** A page that is being served. */
export interface RunsServer extends AsyncDisposable {
  /** Where it is, with the token if there is one. */
  readonly url: string;
  /** The port. */
  readonly port: number;
  /** Resolved once nothing is served any more. */
  readonly finished: Promise<void>;
  /** Ends it. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Serves a page that shows the runs of a folder while they train, and after.
 * Nothing is read while nobody looks.
 *
 * @param runs The folder of runs.
 * @param options Where, and for whom.
 * @throws {GapcamError} If no port is free, or others could reach the page
 * without a token.
 *
 * @example
 * ```ts
 * import { serveRuns } from "@gapcam/gapcam/watch";
 *
 * await using server = serveRuns(await Deno.makeTempDir(), { port: 0 });
 * const { runs } = await (await fetch(`${server.url}api/runs`)).json();
 * if (runs.length !== 0) throw new Error("unexpected");
 * ```
 */
export function serveRuns(
  runs: string,
  options: ServeRunsOptions = {},
): RunsServer {
  const { hostname = "127.0.0.1", token, interval = 1000 } = options;
  if (token === undefined && !isLoopback(hostname)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot serve runs at ${hostname} to whoever asks: expected a token, ` +
        "or an address of this machine alone",
    );
  }
  const watcher = new RunsWatcher(runs);
  const streams = new EventStreams(watcher);
  let cookie = "";
  const server = listen(
    hostname,
    options.port ?? WATCH_PORT,
    async (request) => {
      const refusal = refusalOf(request, { hostname, token, cookie });
      const response = refusal === undefined
        ? await answer(request, { watcher, streams, cookie, ...options })
          .catch((error) =>
            failed(
              500,
              error instanceof GapcamError ? error.message : osReason(error),
            )
          )
        : failed(403, `Cannot show runs: ${refusal}`);
      for (const [name, value] of SECURITY_HEADERS) {
        response.headers.set(name, value);
      }
      return response;
    },
  );
  const { port } = server.addr;
  cookie = `gapcam-${port}`;
  const timer = setInterval(() => {
    // A run that nobody looks at costs nothing.
    if (streams.count > 0) watcher.read();
  }, interval);
  const shown = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    url: `http://${shown}:${port}/${
      token === undefined ? "" : `?token=${encodeURIComponent(token)}`
    }`,
    port,
    finished: server.finished,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      streams.close();
      await server.shutdown();
    },
  };
}

type TcpServer = Deno.HttpServer<Deno.NetAddr>;

/** Takes the first port of several that is free. */
function listen(
  hostname: string,
  first: number,
  handler: (request: Request) => Promise<Response>,
): TcpServer {
  const count = first === 0 ? 1 : PORTS;
  for (let i = 0; i < count && first + i <= 65535; i++) {
    try {
      return Deno.serve(
        { hostname, port: first + i, onListen: () => {} },
        handler,
      );
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) continue;
      if (error instanceof Deno.errors.NotCapable) throw error;
      throw new GapcamError(
        "io",
        `Cannot serve runs at ${hostname}, port ${first + i}: ${
          osReason(error)
        }`,
        { cause: error },
      );
    }
  }
  throw new GapcamError(
    "busy",
    `Cannot serve runs at ${hostname}: ports ${first} to ${
      first + count - 1
    } are taken; choose another`,
  );
}
