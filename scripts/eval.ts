/**
 * `deno task eval`: how good a trained network is on a whole split.
 *
 * @module
 */

import { assertWritable } from "../src/_write_atomically.ts";
import { classLabel } from "../src/cam/_wording.ts";
import { GapcamError } from "../src/error.ts";
import { encodePng } from "../src/image/encode_png.ts";
import { evaluate } from "../src/train/evaluate.ts";
import { formatEvaluation } from "../src/train/format_evaluation.ts";
import {
  type Flag,
  type FlagValues,
  QUIET_FLAG,
  runCommand,
  userPath,
} from "./_command.ts";
import { Interrupt } from "./_interrupt.ts";
import { openImages, type OpenRun, openRun } from "./_network.ts";
import {
  NETWORK_FLAGS,
  type NetworkChoice,
  networkChoice,
} from "./_network_flags.ts";
import { Output } from "./_output.ts";
import { ProgressBar } from "./_progress.ts";
import { writeFile } from "./_pictures.ts";
import { assertNoRun, checkpointLine, shownPath } from "./_runs.ts";
import { listUnreadable } from "./_unreadable.ts";
import { type Worst, WorstAnswers, WorstExplainer } from "./_worst.ts";
import { type SheetPart, worstSheet } from "./_worst_sheet.ts";

const FLAGS = {
  ...NETWORK_FLAGS,
  limit: {
    type: "integer",
    min: 1,
    help: "use only the first N images",
    default: "all",
  },
  tta: {
    type: "boolean",
    help: "show each image mirrored as well, and average both answers",
    default: "the run's",
  },
  "batch-size": {
    type: "integer",
    min: 1,
    max: 65536,
    help: "images at once",
    default: "the run's",
  },
  worst: {
    type: "integer",
    min: 1,
    max: 120,
    help: "draw a sheet of the N highest losses and of the pairs of classes " +
      "confused most, with maps of what was answered and of what was right",
  },
  out: {
    type: "string",
    help: "where the sheet goes, a PNG file",
    default: "worst.png in the run's folder",
    placeholder: "FILE",
  },
  quiet: QUIET_FLAG,
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

/** What to evaluate, and how to say it. */
interface Job {
  network: NetworkChoice;
  /** Only so many images; all if undefined. */
  limit: number | undefined;
  /** Images at once; the run's if undefined. */
  batchSize: number | undefined;
  /** Whether each image is shown mirrored as well. */
  flips: boolean;
  /** A sheet of so many of the worst answers; none if undefined. */
  worst: number | undefined;
  /** Where it goes; into the run's folder if undefined. */
  out: string | undefined;
  quiet: boolean;
  json: boolean;
}

function jobOf(flags: FlagValues<typeof FLAGS>): Job {
  if (flags.out !== undefined && flags.worst === undefined) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot tell what to write to --out: expected --worst N beside it",
    );
  }
  return {
    network: networkChoice(flags),
    limit: flags.limit,
    batchSize: flags["batch-size"],
    flips: flags.tta,
    worst: flags.worst,
    out: flags.out && userPath(flags.out),
    quiet: flags.quiet,
    json: flags.json,
  };
}

async function main(job: Job): Promise<number> {
  using run = await openRun(job.network);
  const dataset = await openImages(job.network, run.checkpoint, job.limit);
  const sheet = job.worst === undefined
    ? undefined
    : job.out ?? `${run.path.slice(0, run.path.lastIndexOf("/"))}/worst.png`;
  if (sheet !== undefined) {
    await assertNoRun(sheet, run.path);
    assertWritable(sheet);
  }
  using explainer = job.worst === undefined
    ? undefined
    : await WorstExplainer.create(run, dataset);
  const answers = new WorstAnswers(job.worst ?? 0);
  const notes = new Output("stderr");
  using interrupt = new Interrupt(() => notes.line("\nStopped while testing"));
  using bar = new ProgressBar();
  const showsBar = !job.json && !job.quiet && Deno.stdout.isTerminal();
  const evaluation = await evaluate(run.network, dataset, {
    ...run.input,
    batchSize: job.batchSize ?? run.checkpoint.training.batchSize,
    flips: job.flips || run.checkpoint.training.testFlips,
    signal: interrupt.signal,
    onAnswer: (answer) => {
      if (explainer) answers.add(answer);
    },
    onProgress: (done) => {
      if (!showsBar) return;
      bar.draw({ label: "testing", share: done / dataset.length, notes: [] });
    },
  }).catch((error) => {
    if (interrupt.signal.aborted) return undefined;
    throw error;
  });
  bar.clear();
  if (!evaluation) return interrupt.code;
  listUnreadable(dataset);
  const worst = explainer && answers.worst(evaluation);
  if (worst) await writeWorst(sheet!, worst, { explainer: explainer!, run });
  if (job.json) {
    console.log(JSON.stringify({
      checkpoint: run.path,
      ...evaluation,
      ...(worst ? { worst: { sheet, ...worst } } : {}),
    }));
    return 0;
  }
  console.log(
    `${checkpointLine(run.path, run.checkpoint)}\n\n${
      formatEvaluation(evaluation)
    }`,
  );
  if (sheet) console.log(`\nThe worst answers: ${shownPath(sheet)}`);
  return 0;
}

async function writeWorst(
  path: string,
  { losses, confused }: Worst,
  { explainer, run }: { explainer: WorstExplainer; run: OpenRun },
): Promise<void> {
  const { classes } = run.checkpoint;
  const parts = [
    { title: "The highest losses", answers: losses },
    ...confused.map(({ label, predicted, images, shown }) => ({
      title: `${classLabel(classes, label)} taken for ${
        classLabel(classes, predicted)
      } (${images})`,
      answers: shown,
    })),
  ];
  const drawn: SheetPart[] = [];
  for (const { title, answers } of parts) {
    drawn.push({ title, subjects: await explainer.explain(answers) });
  }
  const picture = worstSheet(drawn, {
    classes,
    notes: [
      `From the left: the image, the evidence for what was answered, the ` +
      `evidence for what was right (${explainer.method}), both on one scale.`,
    ],
  });
  await writeFile(path, encodePng(picture, { text: { Software: "gapcam" } }));
}

await runCommand({
  name: "eval",
  summary: "Prints how good a trained network is, class by class.",
  flags: FLAGS,
}, (flags) => main(jobOf(flags)));
