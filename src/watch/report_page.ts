import { GapcamError } from "../error.ts";
import { wholePage } from "./_page_files.ts";
import { WatchedRun } from "./_watched_run.ts";
import type { ExplainedImage } from "./explaining.ts";
import type { Film } from "./film.ts";
import type { RunData } from "./run_data.ts";

/** A report is to be smaller than this. */
const LARGEST = 5e6;

/** Frames of a film that a report shows, at most. */
const MOST_FRAMES = 60;

/** What a report shows. */
export interface Report {
  /** The run. */
  run: RunData;
  /** Its film, if it has one. */
  film: Film | undefined;
  /** Its mistakes with their maps, and a sentence that says which they are. */
  worst?: { hint: string; images: ExplainedImage[] };
  /** SHA-256 of checkpoints, by the names of their files. */
  sums?: Readonly<Record<string, string>>;
  /** When it was written. Default: now. */
  now?: Date;
}

/**
 * Reads all that a report shows of a run and needs no network for.
 *
 * @param folder The run's folder.
 * @throws {GapcamError} If its log cannot be read, or there is none.
 */
export async function readRunData(
  folder: string,
): Promise<{ run: RunData; film: Film | undefined }> {
  const watched = new WatchedRun(folder);
  await watched.read();
  const run = watched.data();
  if (run.started !== undefined) return { run, film: await watched.film() };
  throw new GapcamError(
    "not-found",
    run.problem ?? `Cannot report on ${folder}: its log says nothing yet`,
  );
}

/**
 * Makes one page that holds all it shows: it needs no network, and no gapcam.
 * Of a long film some frames are left out, so that it stays below 5 MB; where
 * that is not enough, some of the mistakes.
 *
 * @param report What it shows.
 * @returns HTML.
 */
export async function reportPage(report: Report): Promise<string> {
  const page = await wholePage();
  let frames = MOST_FRAMES;
  let images = report.worst?.images.length ?? 0;
  for (;;) {
    const html = assembled(page, thinned(report, { frames, images }));
    if (html.length <= LARGEST || frames <= 2 && images === 0) return html;
    if (frames > 12 || images === 0) frames = Math.floor(frames / 2);
    else images = Math.floor(images / 2);
  }
}

/** Some frames, evenly apart, and the first of the mistakes. */
function thinned(
  report: Report,
  most: { frames: number; images: number },
): Report {
  const { film, worst, ...rest } = report;
  const last = (film?.frames.length ?? 0) - 1;
  const count = Math.min(most.frames, last + 1);
  return {
    ...rest,
    film: film && {
      ...film,
      frames: Array.from({ length: count }, (_, i) =>
        film.frames[
          count === 1 ? last : Math.round(i * last / (count - 1))
        ]!),
    },
    ...(worst
      ? { worst: { ...worst, images: worst.images.slice(0, most.images) } }
      : {}),
  };
}

function assembled(
  page: Awaited<ReturnType<typeof wholePage>>,
  { now = new Date(), ...report }: Report,
): string {
  const imports = Object.fromEntries(
    page.modules.map(({ name, text }) => [
      named(name),
      `data:text/javascript;base64,${
        new TextEncoder().encode(withNames(text)).toBase64()
      }`,
    ]),
  );
  const frozen = {
    ...report,
    written: `written ${now.toISOString().slice(0, 16).replace("T", " ")} UTC`,
  };
  const head = `<meta http-equiv="Content-Security-Policy" content="` +
    `default-src 'none'; img-src data:; style-src 'unsafe-inline'; ` +
    `script-src 'unsafe-inline' data:">\n` +
    page.styles.map((style) => `<style>${style}</style>`).join("\n");
  const foot = `<script type="application/json" id="frozen">${
    inScript(JSON.stringify(frozen))
  }</script>
<script>${inScript(page.chart)}</script>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">import ${JSON.stringify(named("main.js"))};</script>`;
  return page.html
    .replace(/<!-- head -->.*<!-- end of head -->/s, () => head)
    .replace("<!-- foot -->", () => foot);
}

/** A module's name in a page without a server, where no path leads anywhere. */
function named(file: string): string {
  return `gapcam/${file}`;
}

function withNames(module: string): string {
  return module.replace(
    /(\bfrom |^import )"\.\/([\w.]+)"/gm,
    (_, before, file) => `${before}${JSON.stringify(named(file))}`,
  );
}

/** What stands in a script must not end it. */
function inScript(text: string): string {
  return text.replaceAll(
    "<",
    (_, at: number) =>
      /^<(\/script|!--|script)/i.test(text.slice(at, at + 8)) ? "\\u003c" : "<",
  );
}
