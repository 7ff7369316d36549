import { GapcamError } from "../error.ts";
import {
  append,
  openPart,
  readState,
  removePart,
  replay,
  writeState,
} from "./_part_file.ts";
import {
  checkResponse,
  request,
  strongValidator,
  TransientError,
} from "./_request.ts";

/** How a download behaves. */
export interface DownloadOptions {
  /** What is fetched, for messages, such as `stl10`. */
  name: string;
  /** Where the bytes are kept until they are complete. */
  part: string;
  /** The size that the file must have. */
  bytes?: number;
  /** Seconds without a byte after which a connection is given up. Default: 30. */
  stallSeconds?: number;
  /** Attempts in a row that may bring nothing new. Default: 5. */
  retries?: number;
  /** Seconds before the first retry; each further one waits twice as long. Default: 1. */
  backoffSeconds?: number;
  /** Called as bytes arrive; `resumed` is how many were there before. */
  onProgress?: (progress: TransferProgress) => void;
  /** Called with one line when a connection fails and will be tried again. */
  onRetry?: (message: string) => void;
  /** Ends the download. */
  signal?: AbortSignal;
}

/** How far a download has come. */
export interface TransferProgress {
  /** What is fetched. */
  name: string;
  /** Bytes that are there. */
  done: number;
  /** Bytes in all, if the server or the catalogue says so. */
  total: number | undefined;
  /** How many of the bytes were there before. */
  resumed: number;
}

/** The server starts over: what was read so far is void. */
export class RestartError extends Error {}

/**
 * Yields a file's bytes from the start: what an earlier run left in the part
 * file, then what the server sends, which is appended to the part file before
 * it is yielded. Goes on after a cut or a stall where the last byte was.
 *
 * @throws {RestartError} If the server will not continue the part file, which
 * is then empty: read again from the start.
 * @throws {GapcamError} If the file cannot be had.
 */
export async function* download(
  url: string,
  options: DownloadOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const { name, part } = options;
  const file = await openPart(part, name);
  try {
    const state = readState(part, url, options.bytes !== undefined);
    if (state === undefined) await file.truncate(0);
    let validator = state?.validator;
    let total = options.bytes;
    const resumed = (await file.stat()).size;
    if (total !== undefined && resumed > total) {
      await file.truncate(0);
      throw new RestartError();
    }
    let done = 0;
    const report = () =>
      options.onProgress?.({ name, done, total, resumed: resumed });
    for await (const chunk of replay(file)) {
      done += chunk.length;
      yield chunk;
    }
    report();
    let attempt = 0;
    while (total === undefined || done < total) {
      const before = done;
      try {
        const response = await request(url, { ...options, done, validator });
        try {
          total = checkResponse(response, { ...options, url, done });
          if (response.status === 200 && done > 0) {
            await file.truncate(0);
            Deno.removeSync(`${part}.json`);
            throw new RestartError();
          }
          validator = strongValidator(response.headers);
          writeState(part, { url, validator });
          for await (const chunk of response.chunks) {
            done += chunk.length;
            if (total !== undefined && done > total) {
              throw new GapcamError(
                "bad-data",
                `Cannot fetch ${name}: ${url} sent more than the ${total} ` +
                  "bytes that it announced",
              );
            }
            await append(file, chunk, name);
            report();
            yield chunk;
          }
          total ??= done;
          if (total === 0) {
            throw new GapcamError(
              "bad-data",
              `Cannot fetch ${name}: ${url} sent no bytes`,
            );
          }
          if (done < total) throw new TransientError("the connection was cut");
        } finally {
          response.close();
        }
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        options.signal?.throwIfAborted();
        attempt = done > before ? 0 : attempt + 1;
        const where = `${error.message} at ${done} of ${total ?? "?"} bytes`;
        if (attempt > (options.retries ?? 5)) {
          throw new GapcamError(
            "io",
            `Cannot fetch ${name} from ${url}: ${where}, and ${attempt} ` +
              `${attempt === 1 ? "attempt" : "attempts"} brought nothing ` +
              "more; run the command again to go on from there",
            { cause: error },
          );
        }
        const seconds = (options.backoffSeconds ?? 1) *
          2 ** Math.max(0, attempt - 1);
        options.onRetry?.(`${name}: ${where}; trying again in ${seconds} s`);
        await pause(seconds, options.signal);
      }
    }
  } finally {
    const { size } = file.statSync();
    file.close();
    if (size === 0) removePart(part);
  }
}

/** Waits, until the signal ends the wait. */
async function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, seconds * 1000);
  const stop = () => resolve();
  signal?.addEventListener("abort", stop);
  try {
    await promise;
    signal?.throwIfAborted();
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}
