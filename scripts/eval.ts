/**
 * `deno task eval`: how good a trained network is on a whole split.
 *
 * @module
 */

import { evaluate } from "../src/train/evaluate.ts";
import { formatEvaluation } from "../src/train/format_evaluation.ts";
import {
  type Flag,
  type FlagValues,
  QUIET_FLAG,
  runCommand,
} from "./_command.ts";
import { Interrupt } from "./_interrupt.ts";
import { openImages, openRun } from "./_network.ts";
import {
  NETWORK_FLAGS,
  type NetworkChoice,
  networkChoice,
} from "./_network_flags.ts";
import { Output } from "./_output.ts";
import { ProgressBar } from "./_progress.ts";
import { checkpointLine } from "./_runs.ts";
import { listUnreadable } from "./_unreadable.ts";

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
  },
  "batch-size": {
    type: "integer",
    min: 1,
    max: 65536,
    help: "images at once",
    default: "the run's",
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
  quiet: boolean;
  json: boolean;
}

function jobOf(flags: FlagValues<typeof FLAGS>): Job {
  return {
    network: networkChoice(flags),
    limit: flags.limit,
    batchSize: flags["batch-size"],
    flips: flags.tta,
    quiet: flags.quiet,
    json: flags.json,
  };
}

async function main(job: Job): Promise<number> {
  using run = await openRun(job.network);
  const dataset = await openImages(job.network, run.checkpoint, job.limit);
  const notes = new Output("stderr");
  using interrupt = new Interrupt(() => notes.line("\nStopped while testing"));
  using bar = new ProgressBar();
  const showsBar = !job.json && !job.quiet && Deno.stdout.isTerminal();
  const evaluation = await evaluate(run.network, dataset, {
    ...run.input,
    batchSize: job.batchSize ?? run.checkpoint.training.batchSize,
    flips: job.flips,
    signal: interrupt.signal,
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
  if (job.json) {
    console.log(JSON.stringify({ checkpoint: run.path, ...evaluation }));
    return 0;
  }
  console.log(
    `${checkpointLine(run.path, run.checkpoint)}\n\n${
      formatEvaluation(evaluation)
    }`,
  );
  return 0;
}

await runCommand({
  name: "eval",
  summary: "Prints how good a trained network is, class by class.",
  flags: FLAGS,
}, (flags) => main(jobOf(flags)));
