/**
 * `deno task report`: one page that says all of a run.
 *
 * @module
 */

import { exists } from "../src/_files.ts";
import { assertWritable, writeAtomically } from "../src/_write_atomically.ts";
import { GapcamError } from "../src/error.ts";
import { newestCheckpoint } from "../src/train/find_checkpoint.ts";
import { FILM_NAME, LOG_NAME } from "../src/train/run_folder.ts";
import { findRun, NAME_FILE } from "../src/train/run_name.ts";
import {
  readRunData,
  type Report,
  reportPage,
} from "../src/watch/report_page.ts";
import { hashOf } from "./_cam_files.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import { splitFlag } from "./_dataset_flags.ts";
import { DEVICE_FLAGS, deviceChoice } from "./_device_flags.ts";
import { UsageError } from "./_flags.ts";
import { RunExplainer } from "./_run_explainer.ts";
import { assertNoRun, runsFolder, shownPath } from "./_runs.ts";

const FLAGS = {
  out: {
    type: "string",
    help: "the file to write",
    default: "report.html",
    placeholder: "FILE",
  },
  worst: {
    type: "integer",
    min: 0,
    max: 48,
    help: "how many of its worst mistakes are shown; 0: none, and no network " +
      "is loaded",
    default: "12",
  },
  split: splitFlag("test"),
  ...DEVICE_FLAGS,
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

async function main(
  flags: FlagValues<typeof FLAGS> & { debug?: boolean },
): Promise<void> {
  const [named, ...rest] = flags.positional;
  if (rest.length > 0) {
    throw new UsageError(
      `Unexpected argument ${JSON.stringify(rest[0])}: report takes one run; ` +
        "see --help",
    );
  }
  const folder = chosen(named);
  const out = userPath(flags.out ?? "report.html");
  await assertFree(out, folder);
  const { run, film } = await readRunData(folder);
  const report: Report = { run, film, sums: await sumsOf(folder, run) };
  const notes: string[] = run.problem ? [run.problem] : [];
  const count = flags.worst ?? 12;
  if (count > 0 && run.checkpoints.length > 0) {
    try {
      report.worst = await worstOf(folder, flags, count);
    } catch (error) {
      // The data may be on another machine; all else is still worth a report.
      if (!(error instanceof GapcamError)) throw error;
      notes.push(`its worst mistakes are left out: ${error.message}`);
    }
  }
  const html = new TextEncoder().encode(await reportPage(report));
  await writeAtomically(out, [html]);
  for (const note of notes) console.error(`note: ${note}`);
  console.log(
    flags.json
      ? JSON.stringify({ run: folder, out, bytes: html.length, notes })
      : `${shownPath(out)} (${(html.length / 1e6).toFixed(2)} MB)`,
  );
}

/** The run that was named, or the newest. */
function chosen(name: string | undefined): string {
  if (name === undefined) {
    const newest = newestCheckpoint(runsFolder());
    return newest.slice(0, newest.lastIndexOf("/"));
  }
  return findRun(exists(userPath(name)) ? userPath(name) : name, runsFolder());
}

/** Refuses to write over what is read. */
async function assertFree(out: string, folder: string): Promise<void> {
  for (const name of [LOG_NAME, FILM_NAME, NAME_FILE]) {
    const path = `${folder}/${name}`;
    if (out !== path && !sameFile(out, path)) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot write ${
        shownPath(out)
      }: it is the run's own; choose another name`,
    );
  }
  await assertNoRun(out, folder);
  assertWritable(out);
}

function sameFile(one: string, other: string): boolean {
  return exists(one) && exists(other) &&
    Deno.realPathSync(one) === Deno.realPathSync(other);
}

async function sumsOf(
  folder: string,
  run: Report["run"],
): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for (const { file } of run.checkpoints) {
    sums[file] = await hashOf(`${folder}/${file}`);
  }
  return sums;
}

async function worstOf(
  folder: string,
  flags: FlagValues<typeof FLAGS> & { debug?: boolean },
  count: number,
): Promise<NonNullable<Report["worst"]>> {
  using explainer = new RunExplainer(deviceChoice(flags));
  const split = (flags.split ?? "test") as "test";
  const { images, shown, checkpoint } = await explainer.worst(folder, {
    split,
    count,
    network: "best",
  });
  return {
    hint: `${shown.length} of ${images} wrong answers to ${split} images: ` +
      "those in which what it is seemed least likely. Each as it is, and with " +
      `the evidence for the answer. ${checkpoint}`,
    images: shown,
  };
}

await runCommand({
  name: "report",
  summary: "Writes one page that says all of a run: configuration, machine, " +
    "curves, maps epoch by epoch, what is taken for what, its worst mistakes, " +
    "and how to do it again. It holds all it shows.",
  usage: "[RUN] [FLAGS]",
  flags: FLAGS,
  positional: true,
}, main);
