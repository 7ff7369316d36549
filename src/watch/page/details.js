import { byId, element, fill, table } from "./elements.js";
import {
  bytes,
  duration,
  moment,
  nameOf,
  number,
  percent,
  STATES,
} from "./format.js";
import { pair } from "./matrix.js";

/** What is said first of a run. */
export class Summary {
  #shown = "";

  /** Shows it, where it is not what is there. */
  show(run) {
    const { name, id, state, problem, divergence, progress } = run;
    const { latest, best, evaluation, started } = run;
    const shown = JSON.stringify([
      ...[name, id, state, problem, divergence, progress],
      ...[latest, best, evaluation?.accuracy, started],
    ]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    showSummary(run);
  }
}

function showSummary(run) {
  const { progress, state } = run;
  fill(
    byId("run-title"),
    `${nameOf(run)} `,
    element("small", {}, STATES[state] ?? state),
  );
  const problem = run.problem ?? run.divergence;
  byId("run-problem").hidden = problem === undefined;
  byId("run-problem").textContent = problem ?? "";
  const share = progress?.totalSteps > 0
    ? progress.step / progress.totalSteps
    : 0;
  const bar = byId("run-progress");
  bar.hidden = state === "finished";
  bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  bar.firstElementChild.style.width = `${100 * share}%`;
  const live = state === "running";
  const tiles = [
    progress && ["Epochs", `${progress.epoch} of ${progress.epochs}`],
    live && ["Time left", duration(progress?.secondsLeft)],
    progress?.imagesPerSecond &&
    ["Images a second", number(progress.imagesPerSecond)],
    run.latest.loss !== undefined && ["Training loss", number(run.latest.loss)],
    run.best &&
    ["Best validation", percent(run.best.accuracy), `epoch ${run.best.epoch}`],
    run.evaluation &&
    ["Test accuracy", percent(run.evaluation.accuracy), top5(run.evaluation)],
    ["Began", "", moment(run.started)],
  ].filter(Boolean);
  fill(
    byId("run-tiles"),
    ...tiles.map(([name, value, more]) =>
      element(
        "div",
        {},
        element("dt", {}, name),
        element(
          "dd",
          {},
          value === "" ? "" : `${value} `,
          more ? element("small", {}, more) : "",
        ),
      )
    ),
  );
}

function top5({ top5, classes }) {
  return classes.length > 5 && top5 !== undefined && top5 !== null
    ? `top 5: ${percent(top5)}`
    : "";
}

/** Epochs as a table, for whoever cannot see curves; made once it is opened. */
export class Numbers {
  #run;

  constructor() {
    byId("numbers").addEventListener("toggle", () => this.#draw());
  }

  /** Shows a run's epochs. */
  show(run) {
    this.#run = run;
    this.#draw();
  }

  #draw() {
    if (this.#run && byId("numbers").open) showNumbers(this.#run);
  }
}

function showNumbers(run) {
  const { epochLoss, epochAccuracy, validationLoss, validationAccuracy } =
    run.series;
  const valueAt = ({ steps, values }, step) => values[steps.indexOf(step)];
  const an = run.start?.stepsPerEpoch ?? 1;
  fill(
    byId("numbers").querySelector(".scroll"),
    table(
      ["epoch", "loss", "accuracy", "validation loss", "validation accuracy"],
      epochLoss.steps.map((step, i) => [
        String(Math.round(step / an)),
        number(epochLoss.values[i]),
        percent(valueAt(epochAccuracy, step)),
        number(valueAt(validationLoss, step)),
        percent(valueAt(validationAccuracy, step)),
      ]),
      { numbers: 1 },
    ),
  );
}

/** How a run was made, and how it can be made again. */
export class Details {
  #shown = "";

  /** Shows it, where it is not what is there. */
  show(run, sums = {}) {
    const { id, start, starts, checkpoints } = run;
    const shown = JSON.stringify([id, start, starts, checkpoints]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    showDetails(run, sums);
  }
}

function showDetails(run, sums) {
  const { start } = run;
  fill(
    byId("checkpoints"),
    run.checkpoints.length === 0
      ? element("p", { class: "hint" }, "None yet")
      : table(
        ["file", "epoch", "step", "size", "written"],
        run.checkpoints.map((one) => [
          one.file,
          one.epoch === undefined ? "" : String(one.epoch),
          one.step === undefined ? "" : String(one.step),
          bytes(one.bytes),
          moment(one.written),
        ]),
        { numbers: 1 },
      ),
  );
  fill(byId("machine"), facts(machineOf(start)));
  fill(byId("configuration"), facts(configurationOf(start)));
  const commands = run.starts.filter(({ command }) => command);
  fill(
    byId("again"),
    ...commands.map((one) =>
      element("pre", {}, `deno task train ${one.command.map(quoted).join(" ")}`)
    ),
    ...Object.entries(sums).map(([file, sum]) =>
      element(
        "p",
        { class: "hint sums" },
        `SHA-256 of ${file}: `,
        element("code", {}, sum),
      )
    ),
    element(
      "p",
      { class: "hint" },
      commands.length === 0
        ? "The log does not say with which command it was trained; the " +
          "configuration above is all of it."
        : "The same command, seed, data, device and number of threads give " +
          "the same checkpoint, byte for byte" +
          (commands.length > 1
            ? "; here training went on, which changes nothing."
            : "."),
    ),
  );
}

/** Mistakes with their maps; only a report has them. */
export function showWorst(worst) {
  byId("worst").hidden = !worst || worst.images.length === 0;
  if (byId("worst").hidden) return;
  byId("worst-hint").textContent = worst.hint;
  fill(byId("worst-images"), ...worst.images.map(pair));
}

function machineOf(start) {
  if (!start) return [];
  const { machine } = start;
  return [
    ["device", `${machine?.name ?? start.device}`],
    ["computed by", machine?.version],
    ["numbers", start.precision],
    ["threads", machine?.threads],
    ["processors", machine?.processors],
    ["system", machine?.target],
    ["Deno", machine?.deno],
  ];
}

function configurationOf(start) {
  if (!start) return [];
  return [
    ["model", start.model],
    ["images to train on", start.images],
    ...Object.entries(start.dataset ?? {}).map((
      [name, value],
    ) => [`data: ${name}`, value]),
    ...Object.entries(start.config ?? {}),
  ];
}

function facts(rows) {
  return table(
    [],
    rows.filter(([, value]) => value !== undefined && value !== null).map((
      [name, value],
    ) => [
      name,
      typeof value === "object" ? JSON.stringify(value) : String(value),
    ]),
    { numbers: 9 },
  );
}

/** A word of a command that can be typed. */
function quoted(word) {
  return /^[\w./:@%+=,-]+$/.test(word)
    ? word
    : `'${word.replaceAll("'", "'\\''")}'`;
}
