/**
 * `deno task train`: trains a network and says how good it became.
 *
 * @module
 */

import { exists } from "../src/_files.ts";
import type { Device } from "../src/device/device.ts";
import { openDevice } from "../src/device/open_device.ts";
import { GapcamError } from "../src/error.ts";
import { Network } from "../src/nn/network.ts";
import type { Checkpoint } from "../src/train/checkpoint.ts";
import { readCheckpoint } from "../src/train/checkpoint_file.ts";
import { evaluate } from "../src/train/evaluate.ts";
import { formatEvaluation } from "../src/train/format_evaluation.ts";
import { initialWeights } from "../src/train/initial_weights.ts";
import {
  BEST_NAME,
  CHECKPOINT_NAME,
  FILM_NAME,
  LOG_NAME,
  newRunFolder,
  openRunFolder,
  type RunFolder,
} from "../src/train/run_folder.ts";
import { runEvent } from "../src/train/run_event.ts";
import { RunLog } from "../src/train/run_log.ts";
import { train } from "../src/train/train.ts";
import { few } from "../src/weights/_quote.ts";
import { runCommand, userPath } from "./_command.ts";
import { deviceChoice } from "./_device_flags.ts";
import { Interrupt } from "./_interrupt.ts";
import { Output } from "./_output.ts";
import {
  chosenRun,
  openCheckpoint,
  runFlag,
  runsFolder,
  shownPath,
  typedPath,
} from "./_runs.ts";
import { TRAIN_FLAGS, type TrainFlags } from "./_train_flags.ts";
import { type Job, newJob, resumedJob } from "./_train_job.ts";
import { LiveTensorboard } from "./_tensorboard.ts";
import type { FilmRecorder } from "../src/watch/film_recorder.ts";
import type { WatchedTraining } from "./_watched_training.ts";
import { describeJob, deviceText, TrainReport } from "./_train_report.ts";
import { listUnreadable } from "./_unreadable.ts";

async function main(flags: TrainFlags): Promise<number> {
  const output = new Output(flags.json ? "stderr" : "stdout");
  const progress = flags.quiet ? new Output("nowhere") : output;
  using stack = new DisposableStack();
  const start = flags.resume === undefined
    ? undefined
    : await chosenRun(flags.resume, {
      last: true,
      load: (path) => openToResume(path, flags.out, stack),
    });
  const { checkpoint } = start ?? {};
  const choice = deviceChoice(flags);
  using device = openDevice(choice.kind, choice.options);
  // Before the data are opened, which may take a while.
  progress.line(`Device: ${deviceText(device)}`);
  const job = checkpoint
    ? resumedJob(flags, checkpoint)
    : await newJob(flags, { gpu: device.backend === "cuda" });
  using network = startNetwork(device, job, (line) => progress.line(line));
  if (flags["find-rate"] !== undefined) {
    // Draws a chart, with letters and all; no training needs them.
    const { findRate } = await import("./_find_rate.ts");
    return await findRate(network, job, { flags, output, progress });
  }
  let phase: "starting" | "training" | "testing" = "starting";
  using interrupt = new Interrupt(() => {
    if (phase !== "starting") {
      const step = phase === "training" ? " after this step" : "";
      output.line(`\nStopping${step}; Ctrl-C again stops at once`);
      return;
    }
    output.line("\nStopped before the first step: nothing is to be saved");
    stack.dispose();
    Deno.exit(interrupt.code);
  });
  const folder = start?.folder ?? stack.use(
    flags.out ? openRunFolder(userPath(flags.out)) : newRunFolder(runsFolder()),
  );
  const path = `${folder.path}/${CHECKPOINT_NAME}`;
  describeJob(job, { folder: folder.path, checkpoint, output: progress });
  using report = new TrainReport(job, {
    output: progress,
    bar: !flags.json && !flags.quiet && Deno.stdout.isTerminal(),
  });
  using page = flags.watch === undefined
    ? undefined
    : await openPage(folder.path, flags.watch, output);
  report.compiling();
  using film = flags.film === false
    ? undefined
    : await openFilm(network, job, { folder: folder.path, output: progress });
  using tensorboard = flags.tensorboard
    ? await LiveTensorboard.open(flags.tensorboard, folder.path, {
      resumes: checkpoint !== undefined,
      print: (line) => output.line(line),
    })
    : undefined;
  // A run that goes on elsewhere takes its best network and its film along.
  for (const name of [BEST_NAME, FILM_NAME]) {
    const [own, here] = [`${start?.own}/${name}`, `${folder.path}/${name}`];
    if (checkpoint?.progress.validation === undefined && name === BEST_NAME) {
      continue;
    }
    if (checkpoint && exists(own) && !exists(here)) {
      Deno.copyFileSync(own, here);
    }
  }
  const result = await train(network, job.trainSet, {
    config: job.config,
    modelName: job.modelName,
    dataset: job.dataset,
    folder,
    command: Deno.args,
    ...(job.validationSet ? { validation: job.validationSet } : {}),
    ...(checkpoint ? { checkpoint } : {}),
    ...(flags["save-every"] ? { saveEvery: flags["save-every"] } : {}),
    histograms: flags.histograms || tensorboard !== undefined,
    signal: interrupt.signal,
    onEvent: async (event) => {
      phase = "training";
      report.event(event);
      await film?.event(event);
      await tensorboard?.add(event);
    },
    onStep: (step) => report.step(step),
    onFeatureProgress: (done) => report.computing(done),
    onValidationProgress: (done) => report.validating(done),
  });
  report.clear();
  if (film?.problem) output.line(`note: the film ends here: ${film.problem}`);
  if (!result.finished) {
    output.line(
      `Stopped after step ${result.steps}; saved. Go on with: ` +
        `deno task train --resume ${typedPath(folder.path)}`,
    );
    return interrupt.code;
  }
  phase = "testing";
  if (result.best && result.bestCheckpoint) {
    const { epoch } = result.best;
    progress.line(`Testing the best network, of epoch ${epoch}`);
    network.load((await readCheckpoint(result.bestCheckpoint)).parameters);
  } else if (result.averages) network.load(result.averages);
  const { imageSize, mean, deviation } = job.config;
  const evaluation = await evaluate(network, job.testSet, {
    batchSize: job.config.batchSize,
    inputSize: { height: imageSize, width: imageSize },
    mean,
    deviation,
    flips: job.config.testFlips,
    signal: interrupt.signal,
    onProgress: (done) => report.testing(done),
  }).catch((error) => {
    if (interrupt.signal.aborted) return undefined;
    throw error;
  });
  report.clear();
  if (!evaluation) {
    output.line(
      "Stopped while testing; the run is saved. Test it with: " +
        `deno task eval${runFlag(path)}`,
    );
    return interrupt.code;
  }
  listUnreadable(job.trainSet, job.testSet);
  if (flags.json) {
    const { finished: _, averages: _averages, ...rest } = result;
    console.log(JSON.stringify({ folder: folder.path, ...rest, evaluation }));
  } else {
    output.line(`\n${formatEvaluation(evaluation)}`);
    output.line(
      `\nSaved in ${shownPath(folder.path)}. See where it looks with: ` +
        `deno task cam${runFlag(path)} --index 3`,
    );
  }
  {
    using log = new RunLog(`${folder.path}/${LOG_NAME}`);
    const event = runEvent({ ...evaluation, event: "evaluation" });
    log.write(event);
    await tensorboard?.add(event);
  }
  assertPrinted(output, folder.path);
  if (page && Deno.stdout.isTerminal() && !flags.json) {
    output.line(`The page stays until Ctrl-C: ${page.url}`);
    await interrupt.pressed;
  }
  return 0;
}

/** Serves the page of the run from a thread of its own. */
async function openPage(
  folder: string,
  port: string,
  output: Output,
): Promise<WatchedTraining> {
  // Whoever does not look loads nothing of it.
  const { WatchedTraining } = await import("./_watched_training.ts");
  return await WatchedTraining.open(folder, port, output);
}

/** Films the run, where its network can be explained. */
async function openFilm(
  network: Network,
  job: Job,
  { folder, output }: { folder: string; output: Output },
): Promise<FilmRecorder | undefined> {
  const { FilmRecorder } = await import("../src/watch/film_recorder.ts");
  const { config, validationSet, testSet } = job;
  try {
    return await FilmRecorder.create(network, validationSet ?? testSet, {
      folder,
      config,
    });
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    output.line(`note: no film of this run: ${error.message}`);
    return undefined;
  }
}

/** A run's folder, held before its checkpoint is read: nobody changes it then. */
async function openToResume(
  path: string,
  out: string | undefined,
  stack: DisposableStack,
): Promise<{ checkpoint: Checkpoint; folder: RunFolder; own: string }> {
  const own = path.slice(0, path.lastIndexOf("/"));
  const target = out ? userPath(out) : own;
  const resume = exists(target) &&
    Deno.realPathSync(target) === Deno.realPathSync(own);
  using opening = new DisposableStack();
  const folder = opening.use(openRunFolder(target, { resume }));
  const checkpoint = await openCheckpoint(path, { optimiser: true });
  stack.use(opening.move());
  return { checkpoint, folder, own };
}

/** Says at the end what nobody could read on the way. */
function assertPrinted(output: Output, folder: string): void {
  if (!output.failure) return;
  throw new GapcamError(
    "io",
    `Cannot print all of the training's output: ${output.failure}; the run ` +
      `is whole and saved in ${shownPath(folder)}`,
  );
}

/** Puts the job's model on the device, from fresh weights or from a file. */
function startNetwork(
  device: Device,
  job: Job,
  print: (line: string) => void,
): Network {
  const { seed, freeze } = job.config;
  if (!job.start) return new Network(device, job.model, { seed });
  const { weights, assumed } = job.start;
  const { state, taken, fresh, zero, unused, notes } = initialWeights(
    job.model,
    weights.tensors,
    { seed, freeze },
  );
  for (const line of [...weights.notes, ...notes, ...assumed]) {
    print(`${line}.`);
  }
  print(
    `Weights: ${taken.length} ${taken.length === 1 ? "tensor" : "tensors"} ` +
      `from ${shownPath(weights.path)}` +
      (fresh.length > 0 ? `; fresh: ${few(fresh)}` : "") +
      (zero.length > 0 ? `; zero: ${few(zero)}` : "") +
      (unused.length > 0 ? `; not used: ${few(unused)}` : ""),
  );
  return new Network(device, job.model, { state });
}

await runCommand({
  name: "train",
  summary: "Trains a network and prints how good it became on the test split.",
  flags: TRAIN_FLAGS,
}, main);
