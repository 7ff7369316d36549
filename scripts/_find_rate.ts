/**
 * `deno task train --find-rate`: which learning rate to begin with.
 *
 * @module
 */

import { encodePng } from "../src/image/encode_png.ts";
import type { Network } from "../src/nn/network.ts";
import { findLearningRate } from "../src/train/find_learning_rate.ts";
import { learningRateChart } from "../src/train/learning_rate_chart.ts";
import { assertWritable, writeAtomically } from "../src/_write_atomically.ts";
import { userPath } from "./_command.ts";
import { Interrupt } from "./_interrupt.ts";
import type { Output } from "./_output.ts";
import { ProgressBar } from "./_progress.ts";
import { shownPath } from "./_runs.ts";
import type { TrainFlags } from "./_train_flags.ts";
import type { Job } from "./_train_job.ts";

const STEPS = 100;

/** Tries rates on a copy of the network, draws the curve and says which. */
export async function findRate(
  network: Network,
  job: Job,
  { flags, output, progress }: {
    flags: TrainFlags;
    output: Output;
    progress: Output;
  },
): Promise<number> {
  const path = userPath(flags["find-rate"] || "learning-rate.png");
  assertWritable(path);
  using interrupt = new Interrupt(() => output.line("\nStopped"));
  using bar = new ProgressBar();
  const showsBar = !flags.json && !flags.quiet && Deno.stdout.isTerminal();
  progress.line(`Trying ${STEPS} learning rates; nothing is trained\n`);
  const curve = await findLearningRate(network, job.trainSet, {
    config: job.config,
    steps: STEPS,
    signal: interrupt.signal,
    onStep: (done) => {
      if (!showsBar) return;
      bar.draw({ label: "trying rates", share: done / STEPS, notes: [] });
    },
  }).catch((error) => {
    if (interrupt.signal.aborted) return undefined;
    throw error;
  });
  bar.clear();
  if (!curve) return interrupt.code;
  await writeAtomically(path, [encodePng(learningRateChart(curve))]);
  if (flags.json) {
    console.log(JSON.stringify({ picture: path, ...curve }));
    return 0;
  }
  const rate = curve.suggestion.toPrecision(2);
  output.line(
    `Try --learning-rate ${Number(rate)}; the curve is in ${shownPath(path)}`,
  );
  return 0;
}
