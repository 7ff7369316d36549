/**
 * `deno task runs`: lists, compares, names and removes runs.
 *
 * @module
 */

import { printable } from "../src/_printable.ts";
import { type ComparedNumber, compareRuns } from "../src/train/compare_runs.ts";
import { GapcamError } from "../src/error.ts";
import { removeRun } from "../src/train/remove_run.ts";
import { findRun, nameRun, runsIn } from "../src/train/run_name.ts";
import { type RunSummary, summariseRun } from "../src/train/run_summary.ts";
import { exists } from "../src/_files.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import { UsageError } from "./_flags.ts";
import { formatSeconds } from "./_progress.ts";
import { runsFolder, shownPath } from "./_runs.ts";
import { formatTable } from "./_table.ts";

const FLAGS = {
  json: { type: "boolean", help: "print one JSON value" },
} as const satisfies Record<string, Flag>;

const USAGE = "expected nothing, compare RUN RUN, name RUN NAME or " +
  "remove RUN ...; see --help";

async function main(flags: FlagValues<typeof FLAGS>): Promise<void> {
  const [verb, ...names] = flags.positional;
  const { json } = flags;
  if (verb === undefined) return list(json);
  if (verb === "compare" && names.length === 2) {
    return compare(chosen(names[0]!), chosen(names[1]!), json);
  }
  if (verb === "name" && names.length === 2) {
    const folder = chosen(names[0]!);
    await nameRun(folder, names[1]!);
    return tell(
      json,
      { folder, name: names[1]! },
      () => `${shownPath(folder)} is called ${names[1]} now`,
    );
  }
  if (verb === "remove" && names.length > 0) {
    // All of them are found before the first is gone.
    for (const folder of names.map(chosen)) {
      const left = removeRun(folder);
      tell(json, { folder, left }, () =>
        `Removed ${shownPath(folder)}` +
        (left.length > 0
          ? `; left there, for gapcam did not write it: ${
            left.map((name) => printable(name)).join(", ")
          }`
          : ""));
    }
    return;
  }
  throw new UsageError(
    `Cannot do ${JSON.stringify(flags.positional.join(" "))} with runs: ` +
      USAGE,
  );
}

function list(json: boolean): void {
  const runs = runsIn(runsFolder()).flatMap((folder) => {
    try {
      return summariseRun(folder);
    } catch (error) {
      // The others are no worse for it.
      if (!(error instanceof GapcamError)) throw error;
      console.error(`note: passed over ${shownPath(folder)}: ${error.message}`);
      return [];
    }
  });
  if (json) return console.log(JSON.stringify(runs));
  if (runs.length === 0) {
    return console.log(`No runs in ${shownPath(runsFolder())}`);
  }
  console.log(formatTable(
    [
      "run",
      "name",
      "state",
      "data",
      "model",
      "epochs",
      "train",
      "best",
      "test",
    ],
    runs.map((run) => [
      printable(run.id),
      printable(run.name ?? ""),
      run.state,
      printable(run.start?.dataset.name ?? ""),
      printable(run.start?.model ?? "", 30),
      epochsOf(run),
      percent(run.training?.accuracy),
      percent(run.validation?.accuracy),
      percent(run.evaluation?.accuracy),
    ]),
    { right: [5, 6, 7, 8] },
  ));
}

function compare(first: string, second: string, json: boolean): void {
  const runs = [summariseRun(first), summariseRun(second)] as const;
  const comparison = compareRuns(...runs);
  if (json) return console.log(JSON.stringify({ runs, ...comparison }));
  const titles = runs.map(({ name, id }) => printable(name ?? id));
  const { settings, numbers } = comparison;
  console.log(
    settings.length === 0 ? "Their configurations are the same" : formatTable(
      ["set to", ...titles],
      settings.map(({ name, values }) => [
        name.replace(/^config\./, ""),
        ...values.map(settingText),
      ]),
    ),
  );
  if (numbers.length === 0) return;
  console.log(`\n${
    formatTable(
      ["came to", ...titles, "better"],
      numbers.map(({ name, unit, values, better }) => [
        printable(name),
        ...values.map((value) => numberText(value, unit)),
        better === undefined ? "" : titles[better]!,
      ]),
      { right: [1, 2] },
    )
  }`);
}

/** The folder of the run that was named. */
function chosen(name: string): string {
  return findRun(exists(userPath(name)) ? userPath(name) : name, runsFolder());
}

function tell(json: boolean, value: unknown, text: () => string): void {
  console.log(json ? JSON.stringify(value) : text());
}

function epochsOf({ epochs, start }: RunSummary): string {
  const planned = start?.config.epochs;
  return typeof planned === "number" ? `${epochs}/${planned}` : "";
}

function settingText(value: unknown): string {
  return printable(
    typeof value === "string" ? value : JSON.stringify(value) ?? "none",
    60,
  );
}

function numberText(
  value: number | undefined,
  unit: ComparedNumber["unit"],
): string {
  if (value === undefined) return "";
  if (unit === "share") return percent(value);
  if (unit === "seconds") {
    return value < 60 ? `${value.toFixed(1)} s` : formatSeconds(value);
  }
  return Number.isNaN(value) ? "not a number" : value.toPrecision(4);
}

function percent(value: number | undefined): string {
  return value === undefined ? "" : `${(100 * value).toFixed(2)} %`;
}

await runCommand({
  name: "runs",
  summary: "Lists runs with their best numbers; compares two, names or " +
    "removes one. A RUN is a folder, its name in runs, or the name it was " +
    "given.",
  usage: "[compare RUN RUN | name RUN NAME | remove RUN ...] [FLAGS]",
  flags: FLAGS,
  positional: true,
}, main);
