/**
 * `deno task predict`: what a trained network holds pictures for.
 *
 * @module
 */

import { assertWritable, writeAtomically } from "../src/_write_atomically.ts";
import { printable } from "../src/_printable.ts";
import { GapcamError } from "../src/error.ts";
import { report } from "./_cam_result.ts";
import {
  type Flag,
  type FlagValues,
  QUIET_FLAG,
  runCommand,
  userPath,
} from "./_command.ts";
import type { Failure } from "./_explain.ts";
import { Interrupt } from "./_interrupt.ts";
import { NETWORK_FLAGS, openImages, openRun } from "./_network.ts";
import { Output } from "./_output.ts";
import { answersOf, picturesFolder, type Source } from "./_predict_answers.ts";
import { photographFiles } from "./_photographs.ts";
import {
  type Answer,
  predictionCsv,
  PredictionTable,
} from "./_prediction_table.ts";
import { ProgressBar } from "./_progress.ts";
import { assertNoRun, shownPath } from "./_runs.ts";

const FLAGS = {
  ...NETWORK_FLAGS,
  limit: {
    type: "integer",
    min: 1,
    help: "use only the first N images of the data set",
    default: "all",
  },
  top: {
    type: "integer",
    min: 1,
    help: "how many of the likeliest classes",
    default: "3",
    placeholder: "K",
  },
  fit: {
    type: "string",
    choices: ["crop", "stretch"],
    help: "how a photograph becomes a square",
    default: "crop",
    placeholder: "HOW",
  },
  csv: {
    type: "string",
    help: "write comma-separated values too",
    placeholder: "FILE",
  },
  cam: {
    type: "boolean",
    help: "write the maps too, as deno task cam does",
  },
  out: {
    type: "string",
    help: "folder of the pictures of --cam",
    default: "cam in the run's folder",
    placeholder: "FOLDER",
  },
  "batch-size": {
    type: "integer",
    min: 1,
    max: 65536,
    help: "images at once",
    default: "32",
  },
  quiet: QUIET_FLAG,
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

type Flags = FlagValues<typeof FLAGS>;

async function main(flags: Flags): Promise<number> {
  assertTogether(flags);
  const files = flags.positional.length > 0
    ? photographFiles(flags.positional)
    : undefined;
  using run = await openRun(flags);
  const csv = await csvPath(flags, { files, checkpoint: run.path });
  const source: Source = files
    ? { files }
    : { dataset: await openImages(flags, run.checkpoint, flags.limit) };
  const { classes, modelName, progress } = run.checkpoint;
  const top = Math.min(flags.top ?? 3, classes.length);
  const count = (source.files ?? source.dataset).length;
  const labelled = source.dataset !== undefined;
  const nameOf = (image: string | number) =>
    typeof image === "number" ? String(image) : shownPath(image);
  const table = new PredictionTable({
    images: source.files?.map(nameOf) ?? [String(count - 1)],
    classes,
    labelled,
    top,
  });
  const notes = new Output("stderr");
  using interrupt = new Interrupt(() =>
    notes.line("\nStopped while predicting")
  );
  using bar = new ProgressBar(Deno.stderr);
  const showsBar = !flags.quiet && Deno.stderr.isTerminal();
  const answers: Answer[] = [];
  const failures: Failure[] = [];
  if (!flags.json) console.log(table.head());
  const options = { top, signal: interrupt.signal };
  try {
    for await (const one of answersOf(run, source, { flags, ...options })) {
      if ("reason" in one) failures.push(one);
      else {
        answers.push(one);
        if (!flags.json) {
          bar.clear();
          console.log(table.row(nameOf(one.image), one));
        }
      }
      if (!showsBar) continue;
      const done = answers.length + failures.length;
      const share = done / count;
      bar.draw({ label: "predicting", share, notes: [`${done} of ${count}`] });
    }
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    bar.clear();
    return interrupt.code;
  }
  bar.clear();
  if (csv) {
    await writeAtomically(csv, [predictionCsv(answers, { labelled, top })]);
  }
  if (flags.json) {
    console.log(JSON.stringify({
      checkpoint: run.path,
      ...(csv ? { csv } : {}),
      images: answers,
      ...(failures.length > 0 ? { failures } : {}),
    }));
  } else {
    if (csv) console.log(`${answers.length} rows: ${shownPath(csv)}`);
    const pictures = answers.flatMap((one) => one.files ?? []);
    if (pictures.length > 0) {
      console.log(
        `${pictures.length} pictures in ${
          shownPath(picturesFolder(flags, run))
        }`,
      );
    }
    console.log(
      `Checkpoint: ${shownPath(run.path)} (${printable(modelName)}, after ` +
        `${progress.step} ${progress.step === 1 ? "step" : "steps"})`,
    );
  }
  report(failures, count, "read");
  return failures.length > 0 ? 1 : 0;
}

/** Refuses flags that say nothing together. */
function assertTogether(flags: Flags): void {
  const named = (["dataset", "data-dir", "split", "limit"] as const)
    .filter((name) => flags[name] !== undefined);
  if (flags.positional.length > 0 && named.length > 0) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot take files and --${named[0]} together: it says which images of ` +
        "a data set; leave out one of them",
    );
  }
  if (flags.out !== undefined && !flags.cam) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot put pictures into --out without --cam: nothing is drawn; add " +
        "--cam, or name a table with --csv",
    );
  }
}

/** Where the table goes, once it is certain that it can. */
async function csvPath(
  flags: Flags,
  { files = [], checkpoint }: {
    files?: string[] | undefined;
    checkpoint: string;
  },
): Promise<string | undefined> {
  if (flags.csv === undefined) return undefined;
  const path = userPath(flags.csv);
  if (files.includes(path)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot write ${shownPath(path)}: it is one of the files to look at; ` +
        "choose another name",
    );
  }
  await assertNoRun(path, checkpoint);
  assertWritable(path);
  return path;
}

await runCommand({
  name: "predict",
  summary: "Says what a trained network holds pictures for: files, folders " +
    "and patterns, or a data set (the run's if no file is named).",
  usage: "[FLAGS] [FILE...]",
  positional: true,
  flags: FLAGS,
}, main);
