import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { GapcamError } from "../../mod.ts";
import type { Explaining } from "../../src/watch/explaining.ts";
import { colormap } from "../../src/image/colormap.ts";
import { COLOURS } from "../../src/watch/page/colours.js";
import { serveRuns } from "../../src/watch/serve_runs.ts";
import { begins, interval, log, withRuns } from "./_logs.ts";

/** Asks with headers that fetch() sets itself: written by hand. */
async function raw(port: number, lines: string[]): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const text = [...lines, "Connection: close", "", ""].join("\r\n");
  await connection.write(new TextEncoder().encode(text));
  return await new Response(connection.readable).text();
}

function statusOf(response: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(response)?.[1]);
}

interface Message {
  id: string;
  data: { all: boolean; changed: { id: string }[]; reading: boolean };
}

/** Listens until what came is enough. */
async function messages(
  url: string,
  enough: (found: readonly Message[]) => boolean,
  options: { lastId?: string; act?: () => Promise<void> } = {},
): Promise<Message[]> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), 10_000);
  const response = await fetch(`${url}api/events`, {
    headers: options.lastId ? { "last-event-id": options.lastId } : {},
    signal: abort.signal,
  });
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  const found: Message[] = [];
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body!) {
    text += decoder.decode(bytes, { stream: true });
    const parts = text.split("\n\n");
    text = parts.pop()!;
    for (const part of parts) {
      const id = /^id: (.*)$/m.exec(part)?.[1];
      const data = /^data: (.*)$/m.exec(part)?.[1];
      if (id && data) found.push({ id, data: JSON.parse(data) });
    }
    if (found.length === 1) await options.act?.();
    if (enough(found)) break;
  }
  clearTimeout(timer);
  abort.abort();
  return found;
}

Deno.test("the page has the colours that maps have elsewhere", () => {
  assertEquals(
    Uint8Array.fromBase64(COLOURS),
    Uint8Array.from(colormap("inferno"), (level) => Math.round(255 * level)),
  );
});

Deno.test("serveRuns() gives the page, its files and the runs, and nothing else", () =>
  withRuns(async (runs) => {
    await log(runs, "a run", begins(0), interval(1, 5, 2));
    await using server = serveRuns(runs, { port: 0 });
    const page = await (await fetch(server.url)).text();
    assertMatch(page, /<script type="module" src="main\.js">/);
    // Nothing is taken from anywhere else.
    assertEquals(page.match(/(src|href)="(https?:)?\/\//), null);
    for (
      const [path, type] of [
        ["main.js", "text/javascript"],
        ["colours.js", "text/javascript"],
        ["uplot.js", "text/javascript"],
        ["uplot.css", "text/css"],
        ["page.css", "text/css"],
        ["icon.svg", "image/svg+xml"],
      ]
    ) {
      const response = await fetch(server.url + path);
      assertEquals(response.status, 200);
      assertEquals(
        response.headers.get("content-type"),
        `${type}; charset=utf-8`,
      );
      await response.body!.cancel();
    }
    const { runs: lines, explains } =
      await (await fetch(`${server.url}api/runs`)).json();
    assertEquals(lines.map(({ id }: { id: string }) => id), ["a run"]);
    assertEquals(explains, false);
    const url = `${server.url}api/runs/a%20run`;
    const response = await fetch(url);
    assertEquals((await response.json()).series.loss.values, [2]);
    // Who has it is not sent it again.
    const etag = response.headers.get("etag")!;
    const again = await fetch(url, { headers: { "if-none-match": etag } });
    assertEquals([again.status, await again.text()], [304, ""]);
    for (
      const path of [
        "nothing",
        "api/runs/none",
        "api/runs/..%2f..%2fetc",
        "api/runs/%2e%2e",
        "api/runs/a%20run/log.jsonl",
        "api/runs/a%20run/film/more",
        "api/runs/%ff",
        "page/../../../deno.json",
      ]
    ) {
      const { status, body } = await fetch(server.url + path);
      assertEquals([path, status], [path, 404]);
      await body!.cancel();
    }
    const response404 = await raw(server.port, [
      "GET /../../deno.json HTTP/1.1",
      `Host: 127.0.0.1:${server.port}`,
    ]);
    assertEquals(statusOf(response404), 404);
  }));

Deno.test("serveRuns() refuses other names, other sites and other frames", () =>
  withRuns(async (runs) => {
    await log(runs, "a", begins(0));
    await using server = serveRuns(runs, { port: 0 });
    const { port } = server;
    const ask = async (...headers: string[]) =>
      statusOf(await raw(port, ["GET /api/runs HTTP/1.1", ...headers]));
    const own = `Host: 127.0.0.1:${port}`;
    assertEquals(await ask(own), 200);
    assertEquals(await ask(`Host: localhost:${port}`), 200);
    // A tunnel has another port on its other end.
    assertEquals(await ask("Host: localhost:9000"), 200);
    assertEquals(await ask(`Host: evil.example:${port}`), 403);
    assertEquals(await ask(`Host: localhost.evil.example:${port}`), 403);
    assertEquals(await ask(`Host: 192.168.1.7:${port}`), 403);
    assertEquals(await ask(own, `Origin: http://127.0.0.1:${port}`), 200);
    assertEquals(await ask(own, "Origin: http://evil.example"), 403);
    assertEquals(await ask(own, "Origin: http://localhost:3000"), 403);
    assertEquals(await ask(own, "Origin: null"), 403);
    assertEquals(await ask(own, "Sec-Fetch-Site: cross-site"), 403);
    assertEquals(await ask(own, "Sec-Fetch-Site: same-site"), 403);
    assertEquals(
      await ask(own, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"),
      200,
    );
    const { headers, body } = await fetch(server.url);
    await body!.cancel();
    assertMatch(
      headers.get("content-security-policy")!,
      /default-src 'none'.*frame-ancestors 'none'/,
    );
    assertEquals(headers.get("x-content-type-options"), "nosniff");
  }));

Deno.test("serveRuns() for others needs a token, which moves to a cookie", () =>
  withRuns(async (runs) => {
    assertThrows(
      () => serveRuns(runs, { hostname: "0.0.0.0", port: 0 }),
      GapcamError,
      "expected a token",
    );
    await using server = serveRuns(runs, {
      hostname: "0.0.0.0",
      port: 0,
      token: "secret",
    });
    const { port } = server;
    assertEquals(server.url, `http://0.0.0.0:${port}/?token=secret`);
    const base = `http://127.0.0.1:${port}/`;
    const ask = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(base + path, {
        headers,
        redirect: "manual",
      });
      await response.body?.cancel();
      return response;
    };
    assertEquals((await ask("")).status, 403);
    assertEquals((await ask("?token=secre")).status, 403);
    assertEquals((await ask("?token=secrets")).status, 403);
    assertEquals(
      (await ask("api/runs", { cookie: "other=secret" })).status,
      403,
    );
    const entered = await ask("?token=secret");
    assertEquals([entered.status, entered.headers.get("location")], [303, "/"]);
    const cookie = entered.headers.get("set-cookie")!;
    assertMatch(cookie, /HttpOnly; SameSite=Lax/);
    const held = { cookie: cookie.split(";")[0]! };
    assertEquals((await ask("api/runs", held)).status, 200);
    const named = await raw(port, [
      "GET /api/runs HTTP/1.1",
      `Host: evil.example:${port}`,
      `Cookie: ${held.cookie}`,
    ]);
    assertEquals(statusOf(named), 403);
  }));

Deno.test("serveRuns() takes the next port where one is taken", () =>
  withRuns(async (runs) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    await using server = serveRuns(runs, { port });
    assert(server.port > port && server.port < port + 20);
  }));

Deno.test("serveRuns() tells what is new, and after a pause what was missed", () =>
  withRuns(async (runs) => {
    await log(runs, "a", begins(0));
    await using server = serveRuns(runs, { port: 0, interval: 20 });
    const idsOf = (found: readonly Message[]) =>
      found.flatMap(({ data }) => data.changed.map(({ id }) => id));
    const heard = await messages(
      server.url,
      (found) => idsOf(found).includes("b") && !found.at(-1)!.data.reading,
      { act: () => log(runs, "b", begins(0)) },
    );
    assertEquals([...new Set(idsOf(heard))].sort(), ["a", "b"]);
    assertEquals(heard.at(-1)!.data.all, false);
    // Hours later: only what changed, from where it was.
    const lastId = heard.at(-1)!.id;
    await log(runs, "a", interval(1, 5, 2));
    const [missed] = await messages(server.url, (found) => found.length > 0, {
      lastId,
    });
    assertEquals(missed!.data.all, false);
    assertEquals(idsOf([missed!]), ["a"]);
    // A number of another process says nothing.
    const [anew] = await messages(server.url, (found) => found.length > 0, {
      lastId: "other.5",
    });
    assertEquals(anew!.data.all, true);
    assertEquals(anew!.data.changed.length, 2);
  }));

Deno.test("serveRuns() takes photographs up to 50 MB, and says what is wrong", () =>
  withRuns(async (runs) => {
    await log(runs, "a", begins(0));
    const asked: unknown[] = [];
    const explaining: Explaining = {
      photograph: (folder, { bytes, ...rest }) => {
        asked.push([folder, bytes.length, rest]);
        if (bytes[0] === 0) {
          throw new GapcamError("bad-data", "Cannot read image x: it is none");
        }
        return Promise.resolve({
          checkpoint: "by a",
          predicted: "cat",
          explained: "cat",
          top: [],
          residual: 0,
          png: "",
        });
      },
      cell: (_, choice) => {
        asked.push(choice);
        return Promise.resolve({ checkpoint: "by a", images: 0, shown: [] });
      },
    };
    await using server = serveRuns(runs, { port: 0, explaining });
    const post = async (query: string, body: BodyInit, run = "a") => {
      const response = await fetch(
        `${server.url}api/runs/${run}/photograph?${query}`,
        { method: "POST", body },
      );
      return [response.status, await response.json()];
    };
    const [status, value] = await post(
      "name=..%2F..%2Fdir%2Fx.jpg&fit=pad&class=1&network=best",
      Uint8Array.of(1, 2),
    );
    assertEquals([status, value.predicted], [200, "cat"]);
    assertEquals(asked, [[
      `${await Deno.realPath(runs)}/a`,
      2,
      { name: "x.jpg", fit: "pad", explained: "1", network: "best" },
    ]]);
    assertEquals(await post("name=x", Uint8Array.of(0)), [422, {
      error: "Cannot read image x: it is none",
    }]);
    assertEquals((await post("fit=sideways", Uint8Array.of(1)))[0], 400);
    assertEquals((await post("", Uint8Array.of(1), "none"))[0], 404);
    const large = new Uint8Array(50 * 2 ** 20 + 1);
    assertMatch((await post("", large))[1].error, /larger than 50 MB$/);
    // One that does not say how large it is.
    const stream = new Blob([large]).stream();
    assertEquals((await post("", stream))[0], 413);
    const cell = async (query: string) => {
      const response = await fetch(`${server.url}api/runs/a/cell?${query}`);
      await response.body!.cancel();
      return response.status;
    };
    assertEquals(await cell("split=test&label=1&predicted=0&count=999"), 200);
    assertEquals(asked.at(-1), {
      split: "test",
      network: "newest",
      label: 1,
      predicted: 0,
      first: 0,
      count: 24,
    });
    assertEquals(await cell("split=test&label=-1&predicted=0"), 400);
    assertEquals(await cell("split=secret&label=1&predicted=0"), 400);
    assertEquals(await cell("split=test&label=1"), 400);
  }));
