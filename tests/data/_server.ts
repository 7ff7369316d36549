import { createHash } from "node:crypto";
import { existsSync } from "node:fs";

/** A checksum, in hexadecimal. */
export function md5(data: Uint8Array): string {
  return createHash("md5").update(data).digest("hex");
}

/** How the server serves one request. */
export interface Serving {
  /** Bytes after which the connection is cut. */
  cutAfter?: number;
  /** Bytes after which nothing more comes. */
  stallAfter?: number;
  /** Whether Range is honoured. Default: true. */
  ranges?: boolean;
  /** Another answer altogether. */
  answer?: () => Response;
  /** Whether no length is announced. Default: false. */
  unannounced?: boolean;
  /** Default: "1". */
  etag?: string;
}

/** A server of one file whose n-th request is served as the n-th entry says. */
export function serve(file: Uint8Array, servings: Serving[] = []) {
  const requests: (string | null)[] = [];
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      const serving = servings[requests.length] ?? {};
      const range = request.headers.get("range");
      requests.push(range);
      if (serving.answer) return serving.answer();
      const etag = `"${serving.etag ?? "1"}"`;
      const condition = request.headers.get("if-range");
      const from = range && serving.ranges !== false &&
          (condition === null || condition === etag)
        ? Number(/^bytes=(\d+)-$/.exec(range)![1])
        : 0;
      const rest = file.subarray(from);
      const headers = new Headers({ etag });
      if (!serving.unannounced) {
        headers.set("content-length", String(rest.length));
      }
      if (from > 0) {
        headers.set(
          "content-range",
          `bytes ${from}-${file.length - 1}/${file.length}`,
        );
      }
      const stop = Math.min(
        rest.length,
        serving.cutAfter ?? Infinity,
        serving.stallAfter ?? Infinity,
      );
      let at = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (at < stop) {
            const end = Math.min(at + 10_000, stop);
            controller.enqueue(rest.slice(at, end));
            at = end;
            // A body shorter than announced makes the server cut the connection.
          } else if (serving.stallAfter === undefined) controller.close();
          // A stalled body stays open until the client leaves.
          else return new Promise(() => {});
        },
      });
      return new Response(body, { status: from > 0 ? 206 : 200, headers });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/set.tar.gz`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Paths of all files below a folder, sorted. */
export function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? filesIn(`${folder}/${name}`).map((path) => `${name}/${path}`)
      : [name]
  ).sort();
}
