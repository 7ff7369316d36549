import { GapcamError } from "../error.ts";

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

/** A failure that another attempt may mend. */
class TransientError extends Error {}

/** What is known of a part file, kept beside it. */
interface PartState {
  url: string;
  /** A strong ETag or a date, to ask for the rest of the same file only. */
  validator?: string;
}

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
              "attempts brought nothing more; run the command again to go on " +
              "from there",
            { cause: error },
          );
        }
        const seconds = (options.backoffSeconds ?? 1) *
          2 ** Math.max(0, attempt - 1);
        options.onRetry?.(`${name}: ${where}; trying again in ${seconds} s`);
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      }
    }
  } finally {
    const { size } = file.statSync();
    file.close();
    if (size === 0) removePart(part);
  }
}

/** Removes a part file and what is kept beside it. */
export function removePart(part: string): void {
  for (const path of [part, `${part}.json`]) {
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Turns a failure to write into one sentence. */
export function writeFailure(path: string, error: unknown): GapcamError {
  const code = (error as { code?: string }).code;
  const reason = code === "ENOSPC" || code === "EDQUOT"
    ? "the disk is full; make room and run the command again to go on"
    : error instanceof Error
    ? error.message
    : String(error);
  return new GapcamError("io", `Cannot write ${path}: ${reason}`, {
    cause: error,
  });
}

async function openPart(part: string, name: string): Promise<Deno.FsFile> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(part, { create: true, read: true, write: true });
  } catch (error) {
    throw writeFailure(part, error);
  }
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new GapcamError(
    "busy",
    `Cannot fetch ${name}: another process is writing ${part}`,
  );
}

async function* replay(file: Deno.FsFile) {
  for (;;) {
    const buffer = new Uint8Array(256 * 1024);
    const count = await file.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

async function append(file: Deno.FsFile, bytes: Uint8Array, name: string) {
  try {
    for (let at = 0; at < bytes.length;) {
      at += await file.write(bytes.subarray(at));
    }
  } catch (error) {
    throw writeFailure(name, error);
  }
}

/** The state of a part file that may be continued from `url`. */
function readState(
  part: string,
  url: string,
  checked: boolean,
): PartState | undefined {
  try {
    const state = JSON.parse(Deno.readTextFileSync(`${part}.json`));
    if (state.url === url) return state;
    // A mirror has other validators; size and checksum must then suffice.
    return checked ? { url } : undefined;
  } catch {
    return undefined;
  }
}

function writeState(part: string, state: PartState): void {
  try {
    Deno.writeTextFileSync(`${part}.json`, JSON.stringify(state));
  } catch (error) {
    throw writeFailure(`${part}.json`, error);
  }
}

function strongValidator(headers: Headers): string | undefined {
  const etag = headers.get("etag");
  if (etag && !etag.startsWith("W/")) return etag;
  return headers.get("last-modified") ?? undefined;
}

interface Answer {
  status: number;
  headers: Headers;
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Ends the connection. */
  close(): void;
}

/** Asks for the bytes from `done` on; every wait is bounded by the stall time. */
async function request(
  url: string,
  options: DownloadOptions & { done: number; validator?: string },
): Promise<Answer> {
  const { done, validator, signal } = options;
  const seconds = options.stallSeconds ?? 30;
  const controller = new AbortController();
  const abort = () => controller.abort();
  signal?.addEventListener("abort", abort);
  async function bounded<T>(promise: Promise<T>): Promise<T> {
    const timer = setTimeout(abort, seconds * 1000);
    try {
      return await promise;
    } catch (error) {
      signal?.throwIfAborted();
      throw new TransientError(
        controller.signal.aborted
          ? `nothing came for ${seconds} s`
          : `the connection failed (${reasonOf(error)})`,
      );
    } finally {
      clearTimeout(timer);
    }
  }
  // Bytes are counted and checked as they are stored on the server.
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (done > 0) {
    headers["range"] = `bytes=${done}-`;
    if (validator) headers["if-range"] = validator;
  }
  const response = await bounded(
    fetch(url, { headers, signal: controller.signal }),
  );
  const reader = response.body?.getReader();
  async function* chunks() {
    for (;;) {
      const { done, value } = reader
        ? await bounded(reader.read())
        : { done: true, value: undefined };
      if (done || value === undefined) return;
      yield value;
    }
  }
  return {
    status: response.status,
    headers: response.headers,
    chunks: chunks(),
    close() {
      signal?.removeEventListener("abort", abort);
      controller.abort();
      reader?.cancel().catch(() => {});
    },
  };
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^.*: /s, "");
}

/** Checks the head of an answer and returns the file's size, if it says. */
function checkResponse(
  { status, headers }: Answer,
  options: { name: string; url: string; done: number; bytes?: number },
): number | undefined {
  const { name, url, done, bytes } = options;
  function fail(found: string): never {
    throw new GapcamError(
      status === 404 ? "not-found" : "io",
      `Cannot fetch ${name}: ${url} ${found}; --url takes a mirror`,
    );
  }
  if (status >= 500 || status === 408 || status === 429) {
    throw new TransientError(`the server answered ${status}`);
  }
  let total: number | undefined;
  if (status === 206) {
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(
      headers.get("content-range") ?? "",
    );
    if (Number(range?.[1] ?? NaN) !== done) {
      fail(`answered with another range than the one from byte ${done}`);
    }
    if (range![3] !== "*") total = Number(range![3]);
  } else if (status === 416) {
    // All there is was there: only a file of unknown size comes here.
    const size = /^bytes \*\/(\d+)$/.exec(headers.get("content-range") ?? "");
    if (Number(size?.[1] ?? NaN) !== done) {
      fail(`has no byte ${done}: it is another file now`);
    }
    total = done;
  } else if (status === 200) {
    const length = headers.get("content-length");
    if (length !== null) total = Number(length);
    if (headers.get("content-type")?.startsWith("text/html")) {
      fail("sent a web page, not a data file");
    }
  } else fail(`answered ${status}`);
  if (bytes !== undefined && total !== undefined && total !== bytes) {
    fail(`has ${total} bytes, expected ${bytes}`);
  }
  return total ?? bytes;
}
