/**
 * `deno task cam`: where a trained network looks.
 *
 * @module
 */

import { assertWritable } from "../src/_write_atomically.ts";
import { GapcamError } from "../src/error.ts";
import { hashOf, originOf, writePictures } from "./_cam_files.ts";
import { CamPage } from "./_cam_page.ts";
import { print, report, type Result } from "./_cam_result.ts";
import { ContactSheets } from "./_cam_sheet.ts";
import { lookOf, suffixesOf } from "./_cam_pictures.ts";
import { CAM_FLAGS, type CamJob, camJob } from "./_cam_job.ts";
import { runCommand } from "./_command.ts";
import {
  explainDataset,
  explainPhotographs,
  type Failure,
} from "./_explain.ts";
import { parseClass } from "./_indices.ts";
import { openRun } from "./_network.ts";
import { inputJson, inputLine } from "./_preprocessing.ts";
import { ProgressBar } from "./_progress.ts";
import { assertNoRun, checkpointLine, shownPath } from "./_runs.ts";

/** From so many images on only what the network says is printed of each. */
const MANY = 17;

async function main(job: CamJob): Promise<number> {
  using run = await openRun(job.network, {
    photographs: job.source.kind === "photographs",
  });
  const { classes, training } = run.checkpoint;
  const classIndex = job.explained === undefined
    ? undefined
    : parseClass(job.explained, classes);
  const against = job.against === undefined
    ? undefined
    : parseClass(job.against, classes);
  if (job.html) await assertPage(job.html, { job, checkpoint: run.path });
  const size = job.size ?? Math.max(224, training.imageSize);
  const look = lookOf(job, { classes, size });
  const { method, layers } = job;
  const options = {
    ...{ classIndex, against, method, layers },
    top: job.look.top,
    size,
  };
  const subjects = job.source.kind === "photographs"
    ? explainPhotographs(run, job.source, options)
    : await explainDataset(run, job.source, {
      network: job.network,
      ...options,
    });
  const folder = job.out ??
    `${run.path.slice(0, run.path.lastIndexOf("/"))}/cam`;
  const hash = await hashOf(run.path);
  const origin = originOf(hash);
  const suffixes = suffixesOf(job, { classes, classIndex, against });
  const pictures = { folder, look, suffixes, origin, raw: job.raw };
  const sheets = new ContactSheets(`${folder}/sheet${suffixes.cam}.png`, {
    look,
    tile: job.size ?? 128,
    text: origin,
    classIndex,
    against,
  });
  const fit = job.source.kind === "photographs" ? job.source.fit : "none";
  const page = job.html === undefined ? undefined : new CamPage(look, [
    checkpointLine(run.path, run.checkpoint),
    inputLine(training, fit),
  ]);
  const results: Result[] = [];
  const failures: Failure[] = [];
  using bar = new ProgressBar(Deno.stderr);
  const showsBar = !job.quiet && Deno.stderr.isTerminal() &&
    (job.json || !Deno.stdout.isTerminal());
  for await (const subject of subjects.each) {
    if ("reason" in subject) failures.push(subject);
    else {
      const result = await writePictures(subject, pictures);
      results.push(result);
      if (!job.json) print(result, subjects.count < MANY);
      if (subjects.count > 1 && method !== "all") await sheets.add(subject);
      page?.add(subject);
    }
    if (showsBar) {
      const done = results.length + failures.length;
      bar.draw({
        label: "explaining",
        share: done / subjects.count,
        notes: [`${done} of ${subjects.count}`],
      });
    }
  }
  await sheets.finish();
  if (page) await page.write(job.html!);
  bar.clear();
  if (job.json) {
    console.log(JSON.stringify({
      checkpoint: run.path,
      input: inputJson(training, fit),
      sha256: hash,
      ...(sheets.files.length > 0
        ? { sheet: sheets.files[0], sheets: sheets.files }
        : {}),
      ...(job.html ? { html: job.html } : {}),
      images: results,
      ...(failures.length > 0 ? { failures } : {}),
    }));
  } else {
    for (const sheet of sheets.files) console.log(shownPath(sheet));
    if (job.html) console.log(shownPath(job.html));
    if (results.length >= MANY) {
      const files = results.reduce((sum, one) => sum + one.files.length, 0);
      console.log(`${files} pictures in ${shownPath(folder)}`);
    }
    // Last, so that what the network says stays the first line.
    console.log(checkpointLine(run.path, run.checkpoint));
    console.log(inputLine(training, fit));
  }
  report(failures, subjects.count);
  return failures.length > 0 ? 1 : 0;
}

/** Refuses a place for the page that holds what is read or cannot be written. */
async function assertPage(
  path: string,
  { job, checkpoint }: { job: CamJob; checkpoint: string },
): Promise<void> {
  if (job.source.kind === "photographs" && job.source.files.includes(path)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot write ${shownPath(path)}: it is one of the photographs; choose ` +
        "another name",
    );
  }
  await assertNoRun(path, checkpoint);
  assertWritable(path);
}

await runCommand({
  name: "cam",
  summary: "Shows where a trained network looks: writes class activation maps.",
  usage: "[FLAGS] [--image FILE...]",
  positional: true,
  flags: CAM_FLAGS,
}, (flags) => main(camJob(flags)));
