/**
 * `deno task predict`: what a trained network holds pictures for.
 *
 * @module
 */

import { assertWritable, writeAtomically } from "../src/_write_atomically.ts";
import { GapcamError } from "../src/error.ts";
import { report } from "./_cam_result.ts";
import { runCommand } from "./_command.ts";
import type { Failure } from "./_explain.ts";
import { Interrupt } from "./_interrupt.ts";
import { openImages, openRun } from "./_network.ts";
import { Output } from "./_output.ts";
import { answersOf, picturesFolder, type Source } from "./_predict_answers.ts";
import { PREDICT_FLAGS, type PredictJob, predictJob } from "./_predict_job.ts";
import {
  type Answer,
  predictionCsv,
  PredictionTable,
} from "./_prediction_table.ts";
import { inputJson, inputLine } from "./_preprocessing.ts";
import { ProgressBar } from "./_progress.ts";
import { assertNoRun, checkpointLine, shownPath } from "./_runs.ts";

async function main(job: PredictJob): Promise<number> {
  const { files, csv } = job;
  using run = await openRun(job.network, {
    photographs: files !== undefined,
  });
  if (csv) await assertTable(csv, { files, checkpoint: run.path });
  const source: Source = files
    ? { files }
    : { dataset: await openImages(job.network, run.checkpoint, job.limit) };
  const { classes, training } = run.checkpoint;
  const top = Math.min(job.top, classes.length);
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
  const showsBar = !job.quiet && Deno.stderr.isTerminal();
  const fit = files ? job.shown.fit : "none";
  const answers: Answer[] = [];
  const failures: Failure[] = [];
  if (!job.json) console.log(table.head());
  const options = { top, signal: interrupt.signal };
  try {
    for await (const one of answersOf(run, source, { job, ...options })) {
      if ("reason" in one) failures.push(one);
      else {
        answers.push(one);
        if (!job.json) {
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
  if (job.json) {
    console.log(JSON.stringify({
      checkpoint: run.path,
      input: inputJson(training, fit),
      ...(csv ? { csv } : {}),
      images: answers,
      ...(failures.length > 0 ? { failures } : {}),
    }));
  } else {
    if (csv) console.log(`${answers.length} rows: ${shownPath(csv)}`);
    const pictures = answers.flatMap((one) => one.files ?? []);
    if (pictures.length > 0) {
      console.log(
        `${pictures.length} pictures in ${shownPath(picturesFolder(job, run))}`,
      );
    }
    console.log(checkpointLine(run.path, run.checkpoint));
    console.log(inputLine(training, fit));
  }
  report(failures, count, "read");
  return failures.length > 0 ? 1 : 0;
}

/** Refuses a place for the table that holds what is looked at or cannot be written. */
async function assertTable(
  path: string,
  { files = [], checkpoint }: {
    files?: readonly string[] | undefined;
    checkpoint: string;
  },
): Promise<void> {
  if (files.includes(path)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot write ${shownPath(path)}: it is one of the files to look at; ` +
        "choose another name",
    );
  }
  await assertNoRun(path, checkpoint);
  assertWritable(path);
}

await runCommand({
  name: "predict",
  summary: "Says what a trained network holds pictures for: files, folders " +
    "and patterns, or a data set (the run's if no file is named).",
  usage: "[FLAGS] [FILE...]",
  positional: true,
  flags: PREDICT_FLAGS,
}, (flags) => main(predictJob(flags)));
