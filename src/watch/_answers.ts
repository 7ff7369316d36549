import { GapcamError } from "../error.ts";
import {
  PHOTOGRAPH_FITS,
  type PhotographFit,
} from "../image/fit_photograph.ts";
import type { EventStreams } from "./_event_stream.ts";
import { pageFile } from "./_page_files.ts";
import { failed, json, tagged } from "./_responses.ts";
import type { WatchedRun } from "./_watched_run.ts";
import type { CellChoice, Explaining, NetworkName } from "./explaining.ts";
import { type FilmNews, filmNews } from "./film.ts";
import type { RunsWatcher } from "./runs_watcher.ts";

/** A photograph may have so many bytes. */
export const LARGEST_UPLOAD = 50 * 2 ** 20;

/** Images of a cell that are explained at once, at most. */
const MOST_IMAGES = 24;

const SPLITS = ["train", "validation", "test"] as const;

/** What answers are made of. */
export interface Served {
  watcher: RunsWatcher;
  streams: EventStreams;
  cookie: string;
  token?: string;
  explaining?: Explaining;
  interval?: number;
}

/** Answers whoever may ask. */
export async function answer(
  request: Request,
  served: Served,
): Promise<Response> {
  const url = new URL(request.url);
  const [, first, second, name, what, ...rest] = url.pathname.split("/");
  if (first !== "api") {
    if (request.method !== "GET") return notThere();
    if (url.pathname === "/" && url.searchParams.has("token")) {
      return entered(served);
    }
    return await pageFile(url.pathname) ?? notThere();
  }
  const { watcher, streams } = served;
  if (second === "events" && name === undefined) {
    watcher.read();
    return streams.respond(request.headers.get("last-event-id"));
  }
  if (second !== "runs" || rest.length > 0) return notThere();
  await refreshed(served);
  if (name === undefined) {
    const { sequence, changed } = watcher.since(0);
    return json({ sequence, runs: changed, ...abilities(served) });
  }
  const id = decoded(name);
  const run = id === undefined ? undefined : watcher.run(id);
  if (!run) return failed(404, "Cannot show this run: it is not there");
  const tag = String(watcher.changedAt(run.id));
  if (request.method === "POST") {
    return what === "photograph"
      ? await photograph(request, run, served)
      : notThere();
  }
  switch (what) {
    case undefined:
      return tagged(request, `run-${tag}`, () => run.data());
    case "film":
      return json(await filmOf(run, url.searchParams));
    case "cell":
      return await cell(url.searchParams, run, served);
  }
  return notThere();
}

/** What is new of a run's film. */
async function filmOf(
  run: WatchedRun,
  query: URLSearchParams,
): Promise<FilmNews | null> {
  const film = await run.film();
  if (!film) return null;
  const [frames, epoch] = ["frames", "epoch"].map((name) =>
    Number(query.get(name) ?? 0)
  );
  return filmNews(film, { frames: frames!, epoch: epoch! });
}

/** What was read lately is new enough. */
async function refreshed({ watcher, interval = 1000 }: Served): Promise<void> {
  if (performance.now() - watcher.readAt > interval) await watcher.read();
}

function abilities({ explaining }: Served): { explains: boolean } {
  return { explains: explaining !== undefined };
}

/** The token moves from the address, which others may see, to a cookie. */
function entered({ token, cookie }: Served): Response {
  const headers: Record<string, string> = { location: "/" };
  if (token !== undefined) {
    headers["set-cookie"] =
      `${cookie}=${token}; HttpOnly; SameSite=Lax; Path=/`;
  }
  return new Response(null, { status: 303, headers });
}

async function photograph(
  request: Request,
  run: WatchedRun,
  { explaining }: Served,
): Promise<Response> {
  if (!explaining) return notThere();
  const { searchParams } = new URL(request.url);
  const fit = searchParams.get("fit") ?? "crop";
  if (!PHOTOGRAPH_FITS.includes(fit as PhotographFit)) {
    return failed(
      400,
      `Cannot explain a photograph: found fit ${JSON.stringify(fit)}, ` +
        `expected one of ${PHOTOGRAPH_FITS.join(", ")}`,
    );
  }
  const bytes = await bodyOf(request);
  if (!bytes) {
    return failed(
      413,
      "Cannot explain a photograph: it is larger than " +
        `${LARGEST_UPLOAD / 2 ** 20} MB`,
    );
  }
  const name = (searchParams.get("name") ?? "").replace(/^.*[/\\]/s, "");
  return await explained(() =>
    explaining.photograph(run.folder, {
      name: name === "" ? "photograph" : name,
      bytes,
      fit: fit as PhotographFit,
      explained: searchParams.get("class") || undefined,
      network: networkOf(searchParams),
    })
  );
}

async function cell(
  query: URLSearchParams,
  run: WatchedRun,
  { explaining }: Served,
): Promise<Response> {
  if (!explaining) return notThere();
  const whole = (name: string, other: number) => {
    const text = query.get(name);
    return text === null ? other : /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  };
  const split = SPLITS.find((one) => one === query.get("split"));
  const choice: CellChoice = {
    split: split ?? "test",
    network: networkOf(query),
    label: whole("label", NaN),
    predicted: whole("predicted", NaN),
    first: whole("first", 0),
    count: Math.min(MOST_IMAGES, whole("count", 12)),
  };
  const { label, predicted, first, count } = choice;
  if (!split || [label, predicted, first, count].some(Number.isNaN)) {
    return failed(
      400,
      "Cannot show images of a cell: expected a split, a label and a class",
    );
  }
  return await explained(() => explaining.cell(run.folder, choice));
}

function networkOf(query: URLSearchParams): NetworkName {
  return query.get("network") === "best" ? "best" : "newest";
}

/** What could not be computed is said in a sentence. */
async function explained(compute: () => Promise<unknown>): Promise<Response> {
  try {
    return json(await compute());
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    return failed(error.code === "busy" ? 503 : 422, error.message);
  }
}

/** All that was sent; undefined if it is too much. */
async function bodyOf(request: Request): Promise<Uint8Array | undefined> {
  if (Number(request.headers.get("content-length")) > LARGEST_UPLOAD) {
    await request.body?.cancel();
    return undefined;
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > LARGEST_UPLOAD) return undefined;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let place = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, place);
    place += chunk.length;
  }
  return bytes;
}

function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

function notThere(): Response {
  return failed(404, "Cannot find that here");
}
