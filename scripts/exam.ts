/**
 * `deno task exam`: which explanations of a trained network to believe.
 *
 * @module
 */

import { assertWritable } from "../src/_write_atomically.ts";
import { GapcamError } from "../src/error.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { mosaicOf } from "../src/data/mosaic_of.ts";
import { subset } from "../src/data/subset.ts";
import { examine } from "../src/explain/exam/examine.ts";
import { evaluate } from "../src/train/evaluate.ts";
import { runCommand } from "./_command.ts";
import { EXAM_FLAGS, type ExamJob, examJob } from "./_exam_job.ts";
import { ExamPage } from "./_exam_page.ts";
import { formatExam } from "./_exam_table.ts";
import { Interrupt } from "./_interrupt.ts";
import { openImages, type OpenRun, openRun } from "./_network.ts";
import { Output } from "./_output.ts";
import { ProgressBar } from "./_progress.ts";
import { assertNoRun, checkpointLine, shownPath } from "./_runs.ts";
import { listUnreadable } from "./_unreadable.ts";

/** Images that are examined where nothing is said. */
const IMAGES = 64;

async function main(job: ExamJob): Promise<number> {
  using run = await openRun(job.network);
  if (job.html) {
    await assertNoRun(job.html, run.path);
    assertWritable(job.html);
  }
  const dataset = await openImages(job.network, run.checkpoint);
  const most = job.mosaics === "none"
    ? dataset.length
    : Math.floor(dataset.length / 4);
  assertEnough(job, dataset, most);
  const notes = new Output("stderr");
  using interrupt = new Interrupt(() => notes.line("\nStopped"));
  using bar = new ProgressBar(Deno.stderr);
  const showsBar = !job.quiet && Deno.stderr.isTerminal();
  const draw = (label: string, share: number) => {
    if (showsBar) bar.draw({ label, share, notes: [] });
  };
  const count = job.images ?? Math.min(IMAGES, most);
  try {
    const images = await examined(run, dataset, {
      job,
      count,
      signal: interrupt.signal,
      onProgress: (share) => draw("answering", share),
    });
    const page = job.html === undefined
      ? undefined
      : new ExamPage(images, { mosaics: job.mosaics !== "none" });
    const { inputSize: { height, width }, ...rest } = run.input;
    // A network that pools globally takes mosaics in full size.
    const times = job.mosaics === "none" ? 1 : 2;
    const exam = await examine(run.network, images, {
      ...rest,
      inputSize: { height: times * height, width: times * width },
      methods: job.methods,
      leaveOut: job.leaveOut,
      ...(job.measures ? { measures: job.measures } : {}),
      images: count,
      batchSize: Math.min(job.batchSize, count),
      steps: job.steps,
      tolerance: job.tolerance,
      seed: job.seed,
      signal: interrupt.signal,
      onProgress: (share) => draw("examining", share),
      onImage: (image) => page?.add(image),
    });
    bar.clear();
    const line = checkpointLine(run.path, run.checkpoint);
    await page?.write(job.html!, exam, [line]);
    listUnreadable(dataset);
    if (job.json) {
      console.log(JSON.stringify({
        checkpoint: run.path,
        ...(job.html ? { html: job.html } : {}),
        ...exam,
      }));
      return 0;
    }
    console.log(`${line}\n\n${formatExam(exam)}`);
    if (job.html) console.log(`\n${shownPath(job.html)}`);
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) return interrupt.code;
    throw error;
  }
}

/** The images that methods are examined on. */
async function examined(
  run: OpenRun,
  dataset: Dataset,
  { job, count, signal, onProgress }: {
    job: ExamJob;
    count: number;
    signal: AbortSignal;
    onProgress: (share: number) => void;
  },
): Promise<Dataset> {
  const { seed, mosaics, confidence } = job;
  if (mosaics === "none") return dataset;
  if (mosaics === "all") return mosaicOf(dataset, { seed, length: count });
  const right: number[] = [];
  await evaluate(run.network, dataset, {
    ...run.input,
    batchSize: run.checkpoint.training.batchSize,
    signal,
    onProgress: (done) => onProgress(done / dataset.length),
    onAnswer: ({ index, label, predicted, probability }) => {
      if (label === predicted && probability >= confidence) right.push(index);
    },
  });
  return mosaicOf(subset(dataset, right), { seed, length: count });
}

function assertEnough(job: ExamJob, dataset: Dataset, most: number): void {
  const { images, mosaics } = job;
  if (images === undefined || images <= most) return;
  throw new GapcamError(
    "invalid-argument",
    mosaics === "none"
      ? `Cannot examine ${images} images of ${dataset.name} ` +
        `(${dataset.split}): it has ${dataset.length}`
      : `Cannot make ${images} mosaics of ${dataset.name} ` +
        `(${dataset.split}): its ${dataset.length} images make ${most}`,
  );
}

await runCommand({
  name: "exam",
  summary:
    "Examines methods of explanation on a trained network: which to believe.",
  flags: EXAM_FLAGS,
}, (flags) => main(examJob(flags)));
