import { runColour } from "./charts.js";
import { byId, element, fill } from "./elements.js";
import { nameOf, percent, STATES } from "./format.js";

/** With more runs than this there is a field to find one. */
const MANY = 8;

/** The list of runs, in which one is chosen and others are laid over it. */
export class RunList {
  #runs = [];
  #chosen = [];
  #choose;
  #shown = "";

  /** @param choose Called with the ids of the runs to show, the main one first. */
  constructor(choose) {
    this.#choose = choose;
    byId("runs-filter").addEventListener("input", () => this.#draw());
    byId("runs-fold").open = matchMedia("(min-width: 901px)").matches;
  }

  /** Shows runs, and which of them are chosen. */
  show(runs, chosen) {
    // Most of what changes in a run that trains is not in the list.
    const shown = JSON.stringify([
      runs.map((run) => [run.id, run.state, aboutOf(run), shareOf(run)]),
      chosen,
      runColour(0),
    ]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#runs = runs;
    this.#chosen = chosen;
    this.#draw();
  }

  #draw() {
    const filter = byId("runs-filter");
    filter.hidden = this.#runs.length <= MANY;
    const wanted = filter.hidden ? "" : filter.value.trim().toLowerCase();
    const focused = document.activeElement?.dataset?.key;
    fill(
      byId("runs-list"),
      ...this.#runs
        .filter((run) =>
          [run.id, run.name, run.dataset, run.model].some((text) =>
            text?.toLowerCase().includes(wanted)
          )
        )
        .map((run) => this.#item(run)),
    );
    // What is drawn again keeps the place of whoever goes by keys.
    if (focused) {
      byId("runs-list").querySelector(`[data-key="${CSS.escape(focused)}"]`)
        ?.focus();
    }
  }

  #item(run) {
    const place = this.#chosen.indexOf(run.id);
    const { name, facts } = aboutOf(run);
    return element(
      "li",
      {
        class: place === 0 ? "focus" : undefined,
        "--run": place < 0 ? "var(--faint)" : runColour(place),
      },
      element("input", {
        type: "checkbox",
        checked: place >= 0,
        "data-key": `box ${run.id}`,
        "aria-label": `Show ${name} too`,
        onchange: (event) => this.#toggle(run.id, event.target.checked),
      }),
      element("button", {
        type: "button",
        "data-key": `name ${run.id}`,
        "aria-current": place === 0 ? "true" : undefined,
        onclick: () => this.#choose([run.id]),
      }, name),
      element(
        "div",
        { class: `about state-${run.state}` },
        element("b", {}, STATES[run.state] ?? run.state),
        facts === "" ? "" : `, ${facts}`,
        run.state === "running"
          ? element("span", { class: "bar" }, barOf(shareOf(run)))
          : undefined,
      ),
    );
  }

  #toggle(id, on) {
    const others = this.#chosen.filter((one) => one !== id);
    // One is always shown.
    if (!on && others.length === 0) this.#draw();
    else this.#choose(on ? [...others, id] : others);
  }
}

/** What the list says of a run in words. */
function aboutOf(run) {
  const { test, validation } = run.latest;
  const best = test ?? validation;
  const facts = [
    run.dataset,
    run.model,
    best === undefined
      ? undefined
      : `${percent(best)} ${test === undefined ? "validation" : "test"}`,
  ].filter((fact) => fact !== undefined).join(", ");
  return { name: nameOf(run), facts };
}

/** How much of a run is done, in percent. */
function shareOf({ progress }) {
  return progress?.totalSteps > 0
    ? Math.round(100 * progress.step / progress.totalSteps)
    : 0;
}

function barOf(share) {
  const bar = element("i");
  bar.style.width = `${share}%`;
  return bar;
}
