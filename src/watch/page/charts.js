import { byId, element, fill } from "./elements.js";
import { nameOf, number, percent } from "./format.js";

/** Colours that most people tell apart, on white and on black. */
const RUN_COLOURS = [
  ["#a02c8c", "#e88ad2"],
  ["#0b6fb8", "#5bb8f0"],
  ["#c25400", "#ff9d57"],
  ["#00785a", "#3fcfa4"],
  ["#8a6d00", "#e2c044"],
  ["#5a5ad0", "#a3a3ff"],
];

const CHARTS = [
  {
    id: "loss",
    title: "Loss",
    training: "loss",
    epochs: "epochLoss",
    validation: "validationLoss",
    text: number,
  },
  {
    id: "accuracy",
    title: "Accuracy",
    training: "accuracy",
    epochs: "epochAccuracy",
    validation: "validationAccuracy",
    text: percent,
  },
  {
    id: "rate",
    title: "Learning rate",
    training: "learningRate",
    text: number,
  },
  {
    id: "speed",
    title: "Images a second",
    training: "imagesPerSecond",
    text: number,
  },
];

const dark = matchMedia("(prefers-color-scheme: dark)");

/** The colour of the run that is the nth of those that are shown. */
export function runColour(place) {
  return RUN_COLOURS[place % RUN_COLOURS.length][dark.matches ? 1 : 0];
}

/** Four charts of all runs that are shown. */
export class Charts {
  #made = new Map();
  #runs = [];
  #options = { axis: "epochs", logarithmic: false };

  constructor() {
    const figures = CHARTS.map((chart) => {
      const figure = element(
        "figure",
        { class: "chart", id: `chart-${chart.id}` },
        element("figcaption", {}, chart.title),
      );
      const place = element("div", { role: "img" });
      figure.append(place);
      this.#made.set(chart.id, { place, plot: undefined, form: "" });
      return figure;
    });
    fill(byId("charts"), ...figures);
    new ResizeObserver(() => this.#fit()).observe(byId("charts"));
    // The list of runs has its colours from here.
    dark.addEventListener("change", () => this.#draw(true));
  }

  /** Draws runs, the first of which is the one that all else is about. */
  show(runs, options) {
    const same = runs.length === this.#runs.length &&
      runs.every((run, i) => run === this.#runs[i]) &&
      Object.entries(options).every(([name, value]) =>
        value === this.#options[name]
      );
    if (same) return;
    this.#runs = runs;
    this.#options = { ...options };
    this.#draw(false);
  }

  /** What a chart shows, for tests and for programs: names, places, values. */
  data(id) {
    const { plot } = this.#made.get(id);
    return plot && {
      names: plot.series.slice(1).map(({ label }) => label),
      data: plot.data.map((values) => Array.from(values)),
    };
  }

  #draw(again) {
    for (const chart of CHARTS) {
      const made = this.#made.get(chart.id);
      const lines = this.#runs.flatMap((run, place) =>
        linesOf(chart, run, {
          colour: runColour(place),
          axis: this.#options.axis,
          several: this.#runs.length > 1,
        })
      );
      const data = joined(lines);
      const logarithmic = chart.id === "loss" && this.#options.logarithmic;
      const form = JSON.stringify([
        logarithmic,
        this.#options.axis,
        lines.map(({ label, colour }) => [label, colour]),
      ]);
      made.place.setAttribute("aria-label", said(chart, lines));
      if (made.plot && made.form === form && !again) {
        made.plot.setData(data);
        continue;
      }
      made.plot?.destroy();
      made.form = form;
      made.plot = new globalThis.uPlot(
        optionsOf(chart, lines, {
          width: widthOf(made.place),
          axis: this.#options.axis,
          logarithmic,
        }),
        data,
        made.place,
      );
    }
  }

  #fit() {
    for (const { plot, place } of this.#made.values()) {
      const width = widthOf(place);
      if (plot && plot.width !== width) plot.setSize({ width, height: 210 });
    }
  }
}

/** The lines of a run in a chart: what it trains on, and what judges it. */
function linesOf(chart, run, { colour, axis, several }) {
  const { series } = run;
  const trained = series[chart.training].steps.length > 0 || !chart.epochs
    ? series[chart.training]
    : series[chart.epochs];
  const before = several ? `${nameOf(run)}, ` : "";
  const lines = [{
    label: before + (chart.validation ? "training" : chart.title.toLowerCase()),
    points: trained,
    width: 1.5,
  }];
  const judged = chart.validation && series[chart.validation];
  if (judged?.steps.length > 0) {
    lines.push({
      label: `${before}validation`,
      points: judged,
      width: 2.5,
      dash: [7, 4],
      dots: true,
    });
  }
  return lines.map(({ points, ...line }) => ({
    ...line,
    colour,
    places: placesOf(points, run, axis),
    values: points.values,
  }));
}

function placesOf(points, run, axis) {
  if (axis === "minutes") return points.seconds.map((one) => one / 60);
  if (axis === "steps") return points.steps;
  const an = Math.max(1, run.start?.stepsPerEpoch ?? 1);
  return points.steps.map((step) => step / an);
}

/** Lines of different places side by side, as uPlot wants them. */
function joined(lines) {
  if (lines.length === 0) return [[]];
  return globalThis.uPlot.join(
    lines.map(({ places, values }) => {
      // Two points in one place: the later one holds.
      const at = new Map(places.map((place, i) => [place, values[i]]));
      const sorted = [...at].sort(([a], [b]) => a - b);
      return [sorted.map(([place]) => place), sorted.map(([, value]) => value)];
    }),
  );
}

function optionsOf(chart, lines, { width, axis, logarithmic }) {
  const style = getComputedStyle(document.documentElement);
  const stroke = style.getPropertyValue("--faint").trim();
  const grid = { stroke: style.getPropertyValue("--grid").trim(), width: 1 };
  const ticks = { ...grid, size: 4 };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return {
    width,
    height: 210,
    cursor: { drag: { x: true, y: false }, sync: { key: "gapcam" } },
    legend: { live: true },
    scales: {
      x: { time: false },
      y: {
        distr: logarithmic ? 3 : 1,
        ...(chart.id === "accuracy"
          ? { range: (_, low, high) => rangeOf(low, high) }
          : {}),
      },
    },
    axes: [
      { stroke, grid, ticks, font, size: 30, space: 60 },
      {
        stroke,
        grid,
        ticks,
        font,
        size: 62,
        values: (_, values) =>
          values.map((value) => value === null ? "" : chart.text(value)),
      },
    ],
    series: [
      {
        label: axis,
        value: (_, value) => value === null ? "–" : number(value),
      },
      ...lines.map((line) => ({
        label: line.label,
        stroke: line.colour,
        width: line.width,
        ...(line.dash ? { dash: line.dash } : {}),
        spanGaps: true,
        points: { show: Boolean(line.dots) || line.places.length < 3, size: 6 },
        value: (_, value) => value === null ? "–" : chart.text(value),
      })),
    ],
  };
}

/** Accuracies with some room, within what is possible. */
function rangeOf(low, high) {
  if (low === null || high === null) return [0, 1];
  const room = Math.max(0.01, 0.06 * (high - low));
  return [Math.max(0, low - room), Math.min(1, high + room)];
}

/** The chart in words. */
function said({ title, text }, lines) {
  const ends = lines.filter(({ values }) => values.length > 0).map((line) =>
    `${line.label} from ${text(line.values[0])} to ${text(line.values.at(-1))}`
  );
  return `${title}: ${ends.join("; ") || "nothing yet"}`;
}

function widthOf(place) {
  return Math.max(220, Math.floor(place.getBoundingClientRect().width));
}
