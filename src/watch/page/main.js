import { Charts } from "./charts.js";
import { Details, Numbers, showWorst, Summary } from "./details.js";
import { byId } from "./elements.js";
import { FilmStrip } from "./film.js";
import { nameOf } from "./format.js";
import { Matrix } from "./matrix.js";
import { Photograph } from "./photograph.js";
import { RunList } from "./run_list.js";

/** A report brings all it shows along. */
const frozen = byId("frozen") && JSON.parse(byId("frozen").textContent);

/** Runs in a line by id, and in full those that are shown. */
const lines = new Map();
const full = new Map();
let chosen = [];
let explains = false;
let loaded = false;
/** Whether what is shown stays, whatever begins meanwhile. */
let settled = false;

const charts = new Charts();
const film = new FilmStrip();
const matrix = new Matrix(frozen ? undefined : askCell);
const list = new RunList(choose);
const summary = new Summary();
const numbers = new Numbers();
const details = new Details();
const photograph = frozen ? undefined : new Photograph();
const options = { axis: "epochs", logarithmic: false };

for (const [id, key] of [["axis", "value"], ["logarithmic", "checked"]]) {
  byId(id).addEventListener("change", (event) => {
    options[id] = event.target[key];
    show();
  });
}

/** For tests and for programs: what a chart shows. */
globalThis.gapcam = { chart: (id) => charts.data(id) };

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

if (frozen) thaw();
else listen();

/** Shows a report. */
function thaw() {
  byId("runs").hidden = true;
  document.querySelector(".page").classList.add("alone");
  byId("connection").textContent = frozen.written;
  document.title = `${nameOf(frozen.run)}, gapcam`;
  lines.set(frozen.run.id, frozen.run);
  full.set(frozen.run.id, { run: frozen.run, film: frozen.film });
  chosen = [frozen.run.id];
  loaded = true;
  show();
  showWorst(frozen.worst);
}

/** Listens to what is new, for as long as the page is open. */
function listen() {
  const source = new EventSource("api/events");
  connection("lost", "connecting");
  source.addEventListener("open", () => connection("live", "live"));
  source.addEventListener("error", () =>
    connection(
      "lost",
      "gapcam does not answer; what you see is the last it said",
    ));
  source.addEventListener("runs", (event) => {
    const news = JSON.parse(event.data);
    // A server that was started again begins anew.
    if (news.all) {
      const there = new Set(news.changed.map(({ id }) => id));
      for (const id of lines.keys()) if (!there.has(id)) news.gone.push(id);
    }
    for (const line of news.changed) lines.set(line.id, line);
    for (const id of news.gone) {
      // What is looked at stays to be looked at.
      if (chosen.includes(id) && full.has(id)) lines.get(id).state = "gone";
      else lines.delete(id);
    }
    loaded ||= !news.reading;
    // The newest is known only once all were read.
    if (chosen.length === 0 || !settled) {
      choose(wanted(), { told: false });
      settled = !news.reading && chosen.length > 0;
    } else show();
    for (const { id } of news.changed) if (chosen.includes(id)) refresh(id);
  });
  fetch("api/runs").then((response) => response.json()).then((about) => {
    explains = about.explains;
    show();
  }).catch(() => {});
  addEventListener("hashchange", () => choose(wanted(), { told: false }));
}

function connection(kind, text) {
  byId("connection").className = kind;
  byId("connection").textContent = text;
}

function namedRuns() {
  try {
    return decodeURIComponent(location.hash.slice(1)).split("|");
  } catch {
    // Somebody else wrote that address.
    return [];
  }
}

/** The runs that the address names; else the newest. */
function wanted() {
  const named = namedRuns().filter((id) => lines.has(id));
  if (named.length > 0) return named;
  const newest = sorted()[0];
  return newest ? [newest.id] : [];
}

/** Those that train first, then the newest. */
function sorted() {
  const live = ({ state }) => state === "running" ? 0 : 1;
  return [...lines.values()].sort((a, b) =>
    live(a) - live(b) ||
    (b.started ?? "").localeCompare(a.started ?? "") ||
    b.id.localeCompare(a.id)
  );
}

function choose(ids, { told = true } = {}) {
  const other = ids.join("|") !== chosen.join("|");
  chosen = ids;
  if (told) {
    settled = true;
    // The address alone brings the same back after a reload.
    history.replaceState(null, "", `#${encodeURIComponent(ids.join("|"))}`);
  }
  for (const id of ids) if (other && !full.has(id)) refresh(id);
  show();
}

/** Ids of runs that changed while nobody looked. */
const missed = new Set();

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const id of missed) refresh(id);
  missed.clear();
});

/** Ids of runs that are being fetched; true where they changed meanwhile. */
const fetching = new Map();

async function refresh(id) {
  // What nobody sees is not drawn.
  if (document.hidden && full.has(id)) {
    missed.add(id);
    return;
  }
  if (fetching.has(id)) {
    fetching.set(id, true);
    return;
  }
  fetching.set(id, false);
  try {
    const path = `api/runs/${encodeURIComponent(id)}`;
    const run = await fetched(path);
    const known = full.get(id);
    const film = run.filmBytes === known?.run.filmBytes
      ? known.film
      : await newFilm(path, known?.film);
    full.set(id, { run, film });
    show();
  } catch {
    // It is gone, or the server is: the next news tell.
  }
  await new Promise((resolve) => setTimeout(resolve, pause(full.get(id)?.run)));
  const again = fetching.get(id);
  fetching.delete(id);
  if (again) refresh(id);
}

/**
 * How long nothing new of a run is drawn, in milliseconds: drawing costs the
 * training, and what it does in a hundredth of its time hardly moves a curve.
 */
function pause(run) {
  const passed = Date.parse(run?.updated) - Date.parse(run?.started);
  return Math.min(10_000, Math.max(2500, passed / 100 || 0));
}

/** A film, of which only that is fetched which is not known. */
async function newFilm(path, known) {
  const frames = known?.frames.length ?? 0;
  const epoch = known?.frames.at(-1)?.epoch ?? 0;
  const news = await fetched(`${path}/film?frames=${frames}&epoch=${epoch}`);
  if (!news) return null;
  if (news.kept === 0) return news.film;
  return { ...known, frames: [...known.frames, ...news.film.frames] };
}

async function fetched(path) {
  const response = await fetch(path);
  const value = await response.json();
  if (!response.ok) throw new Error(value.error);
  return value;
}

async function askCell({ split, label, predicted, first }) {
  // A test is of the best network, validation of each epoch's.
  const network = split === "test" ? "best" : "newest";
  const query = new URLSearchParams({
    split,
    label,
    predicted,
    first,
    network,
  });
  return await fetched(
    `api/runs/${encodeURIComponent(chosen[0])}/cell?${query}`,
  );
}

function show() {
  if (!frozen) list.show(sorted(), chosen);
  const there = chosen.filter((id) => full.has(id));
  const main = full.get(chosen[0]);
  byId("empty").hidden = Boolean(main) || !loaded;
  if (loaded && !main) {
    byId("empty").textContent = lines.size === 0
      ? "No runs yet.\nOne appears here as soon as it begins: deno task train"
      : "Loading …";
  }
  byId("shown").hidden = !main;
  if (!main) return;
  const run = { ...main.run };
  if (lines.get(run.id)?.state === "gone") run.state = "gone";
  const runs = there.map((id) => full.get(id).run);
  if (!frozen) document.title = titleOf(run);
  summary.show(run);
  byId("lines").textContent = "Training images are a thin line, validation " +
    "is dashed. Drag over a stretch to see it larger, click twice to go back.";
  charts.show(runs, options);
  numbers.show(run);
  film.show(run.id, main.film);
  matrix.show(run.id, run.matrix, run.evaluation);
  const can = explains && run.checkpoints.length > 0 && run.state !== "gone";
  photograph?.show(
    can ? run.id : undefined,
    run.matrix?.classes ?? main.film?.classes,
  );
  details.show(run, frozen?.sums);
}

function titleOf(run) {
  const { progress } = run;
  return run.state === "running" && progress?.totalSteps > 0
    ? `${Math.floor(100 * progress.step / progress.totalSteps)} % ${
      nameOf(run)
    }`
    : `${nameOf(run)}, gapcam`;
}
