import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";

/** A failure that another attempt may mend. */
export class TransientError extends Error {}

/** What tells a file on a server from another at the same address. */
export function strongValidator(headers: Headers): string | undefined {
  const etag = headers.get("etag");
  if (etag && !etag.startsWith("W/")) return etag;
  return headers.get("last-modified") ?? undefined;
}

/** The head of an answer, and its body. */
export interface Answer {
  status: number;
  headers: Headers;
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Ends the connection. */
  close(): void;
}

/** Asks for the bytes from `done` on; every wait is bounded by the stall time. */
export async function request(
  url: string,
  options: {
    done: number;
    validator?: string;
    stallSeconds?: number;
    signal?: AbortSignal;
  },
): Promise<Answer> {
  const { done, validator, signal } = options;
  signal?.throwIfAborted();
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
      if (error instanceof Deno.errors.NotCapable) throw error;
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

/**
 * Why a connection failed, such as `dns error: ...` or `tls handshake eof`. Of
 * `fetch failed` alone nobody could tell.
 */
function reasonOf(error: unknown): string {
  let deepest = error;
  while (deepest instanceof Error && deepest.cause instanceof Error) {
    deepest = deepest.cause;
  }
  return osReason(deepest)
    .replace(/^error sending request .*?: client error \(\w+\): /s, "")
    .replace(/^client error \(\w+\): /, "");
}

/** Checks the head of an answer and returns the file's size, if it says. */
export function checkResponse(
  { status, headers }: Answer,
  options: { name: string; url: string; done: number; bytes?: number },
): number | undefined {
  const { name, url, done, bytes } = options;
  function fail(found: string): never {
    throw new GapcamError(
      status === 404 ? "not-found" : "io",
      `Cannot fetch ${name}: ${url} ${found}; take a mirror`,
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
    if (done === 0 || Number(size?.[1] ?? NaN) !== done) {
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
