import type { RunSummary } from "./run_summary.ts";

/** A number of two runs; see {@linkcode compareRuns}. */
export interface ComparedNumber {
  /** What it is, such as `test accuracy` or `accuracy of cat`. */
  name: string;
  /** How it is written: a share of 1, or a plain number. */
  unit: "share" | "number" | "seconds";
  /** Of each run; undefined where it has none. */
  values: [number | undefined, number | undefined];
  /** Which run is better, 0 or 1; undefined where they are equal or one has none. */
  better: 0 | 1 | undefined;
}

/** What differs between two runs. Plain data, for JSON too. */
export interface RunComparison {
  /** What they were told, where it differs; `config.epochs` is of the training. */
  settings: { name: string; values: [unknown, unknown] }[];
  /** What they came to. */
  numbers: ComparedNumber[];
}

/**
 * Compares two runs: where their configuration differs, and which is better in
 * what.
 */
export function compareRuns(
  first: RunSummary,
  second: RunSummary,
): RunComparison {
  const runs = [first, second] as const;
  const settings = runs.map(settingsOf);
  const names = new Set(settings.flatMap((one) => [...one.keys()]));
  const rows: (ComparedNumber | undefined)[] = [
    row("test accuracy", runs, "share", (run) => run.evaluation?.accuracy),
    row("test loss", runs, "number", (run) => run.evaluation?.loss),
    row("best validation", runs, "share", (run) => run.validation?.accuracy),
    row("its loss", runs, "number", (run) => run.validation?.loss),
    row("training accuracy", runs, "share", (run) => run.training?.accuracy),
    row("training loss", runs, "number", (run) => run.training?.loss),
    row("time of an epoch", runs, "seconds", (run) => run.secondsPerEpoch),
    ...classNames(first, second).map((name) =>
      row(
        `accuracy of ${name}`,
        runs,
        "share",
        (run) =>
          run.evaluation?.classes.find((one) => one.name === name)?.accuracy,
      )
    ),
  ];
  return {
    settings: [...names].flatMap((name) => {
      const values = settings.map((one) => one.get(name));
      return JSON.stringify(values[0]) === JSON.stringify(values[1])
        ? []
        : { name, values: values as [unknown, unknown] };
    }),
    numbers: rows.flatMap((one) => one ?? []),
  };
}

/** Classes that both were tested on. */
function classNames(first: RunSummary, second: RunSummary): string[] {
  const others = second.evaluation?.classes.map(({ name }) => name) ?? [];
  return (first.evaluation?.classes ?? [])
    .map(({ name }) => name)
    .filter((name) => others.includes(name));
}

/** Shares are better the greater they are, all else the smaller. */
function row(
  name: string,
  runs: readonly [RunSummary, RunSummary],
  unit: ComparedNumber["unit"],
  valueOf: (run: RunSummary) => number | undefined,
): ComparedNumber | undefined {
  const values: ComparedNumber["values"] = [valueOf(runs[0]), valueOf(runs[1])];
  const [one, other] = values;
  if (one === undefined && other === undefined) return undefined;
  let better: 0 | 1 | undefined;
  if (one !== undefined && other !== undefined && one !== other) {
    const secondWins = unit === "share" ? other > one : other < one;
    const firstWins = unit === "share" ? one > other : one < other;
    // Neither, where one is not a number.
    better = firstWins ? 0 : secondWins ? 1 : undefined;
  }
  return { name, unit, values, better };
}

function settingsOf({ start }: RunSummary): Map<string, unknown> {
  const settings = new Map<string, unknown>();
  if (!start) return settings;
  const { model, device, precision, images } = start;
  settings.set("model", model);
  for (const [name, value] of Object.entries(start.dataset)) {
    settings.set(`dataset.${name}`, value);
  }
  settings.set("images", images);
  for (const [name, value] of Object.entries(start.config)) {
    settings.set(`config.${name}`, value);
  }
  settings.set("device", device);
  settings.set("precision", precision);
  return settings;
}
