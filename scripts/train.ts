/**
 * `deno task train`: trains a network and says how good it became.
 *
 * @module
 */

import { exists } from "../src/_files.ts";
import type { Communicator } from "../src/device/communicator.ts";
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
import { shareParameters } from "../src/train/_ranks.ts";
import { train } from "../src/train/train.ts";
import { few } from "../src/weights/_quote.ts";
import { runCommand, userPath } from "./_command.ts";
import { onRanks } from "./_on_ranks.ts";
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
import {
  describeJob,
  deviceText,
  ranksText,
  TrainReport,
} from "./_train_report.ts";
import { listUnreadable } from "./_unreadable.ts";

async function main(
  flags: TrainFlags,
  communicator: Communicator | undefined,
): Promise<number> {
  // Of several ranks the first speaks and writes.
  const leads = communicator === undefined || communicator.rank === 0;
  const output = new Output(
    leads ? flags.json ? "stderr" : "stdout" : "nowhere",
  );
  const progress = flags.quiet ? new Output("nowhere") : output;
  using stack = new DisposableStack();
  const start = flags.resume === undefined
    ? undefined
    : await openToResume(flags, { stack, communicator });
  const { checkpoint } = start ?? {};
  const choice = deviceChoice(flags);
  if (communicator) {
    const { localRank, threads } = communicator.description;
    choice.options.threads ??= threads;
    if (flags["device-index"] === undefined && choice.kind !== "cpu") {
      choice.options.index = localRank;
    }
  }
  using device = openDevice(choice.kind, choice.options);
  // Before the data are opened, which may take a while.
  progress.line(`Device: ${deviceText(device)}`);
  if (communicator) progress.line(`Ranks: ${ranksText(communicator)}`);
  const job = checkpoint
    ? resumedJob(flags, checkpoint)
    : await newJob(flags, { gpu: device.backend === "cuda" });
  using network = startNetwork(device, job, (line) => progress.line(line));
  if (flags["find-rate"] !== undefined) {
    // Draws a chart, with letters and all; no training needs them.
    if (communicator) {
      throw new GapcamError(
        "invalid-argument",
        "Cannot find a learning rate on several ranks: expected one; run it " +
          "without a launcher",
      );
    }
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
    if (leads) Deno.exit(interrupt.code);
    // All ranks are told to stop; the first is to say so.
    setTimeout(() => Deno.exit(interrupt.code), 1500);
  });
  const folder = start?.folder ?? (leads
    ? stack.use(
      flags.out
        ? openRunFolder(userPath(flags.out))
        : newRunFolder(runsFolder()),
    )
    : undefined);
  const folderPath = folder?.path ?? "";
  const path = `${folderPath}/${CHECKPOINT_NAME}`;
  describeJob(job, {
    folder: folderPath,
    checkpoint,
    ranks: communicator?.size ?? 1,
    output: progress,
  });
  using report = new TrainReport(job, {
    output: progress,
    bar: leads && !flags.json && !flags.quiet && Deno.stdout.isTerminal(),
  });
  using page = flags.watch === undefined || !leads
    ? undefined
    : await openPage(folderPath, flags.watch, output);
  report.compiling();
  using film = flags.film === false || !leads
    ? undefined
    : await openFilm(network, job, { folder: folderPath, output: progress });
  using tensorboard = flags.tensorboard && leads
    ? await LiveTensorboard.open(flags.tensorboard, folderPath, {
      resumes: checkpoint !== undefined,
      print: (line) => output.line(line),
    })
    : undefined;
  // A run that goes on elsewhere takes its best network and its film along.
  for (const name of [BEST_NAME, FILM_NAME]) {
    const [own, here] = [`${start?.own}/${name}`, `${folderPath}/${name}`];
    if (checkpoint?.progress.validation === undefined && name === BEST_NAME) {
      continue;
    }
    if (leads && checkpoint && exists(own) && !exists(here)) {
      Deno.copyFileSync(own, here);
    }
  }
  const result = await train(network, job.trainSet, {
    config: job.config,
    modelName: job.modelName,
    dataset: job.dataset,
    ...(folder ? { folder } : {}),
    ...(communicator ? { communicator } : {}),
    command: Deno.args,
    ...(job.validationSet ? { validation: job.validationSet } : {}),
    ...(checkpoint ? { checkpoint } : {}),
    ...(flags["save-every"] ? { saveEvery: flags["save-every"] } : {}),
    histograms: flags.histograms || tensorboard !== undefined,
    signal: interrupt.signal,
    onEvent: async (event, moment) => {
      phase = "training";
      report.event(event);
      await film?.event(event, moment);
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
        `deno task train --resume ${typedPath(folderPath)}`,
    );
    return interrupt.code;
  }
  phase = "testing";
  if (result.best) {
    const { epoch } = result.best;
    progress.line(`Testing the best network, of epoch ${epoch}`);
    if (result.bestCheckpoint) {
      network.load((await readCheckpoint(result.bestCheckpoint)).parameters);
    }
    if (communicator) await shareParameters(network, communicator);
  } else if (result.averages) network.load(result.averages);
  const { imageSize, mean, deviation } = job.config;
  const evaluation = await evaluate(network, job.testSet, {
    batchSize: job.config.batchSize,
    inputSize: { height: imageSize, width: imageSize },
    mean,
    deviation,
    flips: job.config.testFlips,
    ...(communicator ? { communicator } : {}),
    signal: interrupt.signal,
    onProgress: (done) => report.testing(done),
  }).catch((error) => {
    // Of several ranks all stop where one does.
    if (interrupt.signal.aborted || error.name === "AbortError") {
      return undefined;
    }
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
  if (!leads) return 0;
  listUnreadable(job.trainSet, job.testSet);
  if (flags.json) {
    const { finished: _, averages: _averages, ...rest } = result;
    console.log(JSON.stringify({ folder: folderPath, ...rest, evaluation }));
  } else {
    output.line(`\n${formatEvaluation(evaluation)}`);
    output.line(
      `\nSaved in ${shownPath(folderPath)}. See where it looks with: ` +
        `deno task cam${runFlag(path)} --index 3`,
    );
  }
  {
    using log = new RunLog(`${folderPath}/${LOG_NAME}`);
    const event = runEvent({ ...evaluation, event: "evaluation" });
    log.write(event);
    await tensorboard?.add(event);
  }
  assertPrinted(output, folderPath);
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

/** What a run goes on from; `folder` is the first rank's alone. */
interface Start {
  checkpoint: Checkpoint;
  folder?: RunFolder;
  /** The run's own folder. */
  own: string;
}

/** The run that is to go on; of several ranks, that which the first has chosen. */
async function openToResume(
  flags: TrainFlags,
  parts: { stack: DisposableStack; communicator: Communicator | undefined },
): Promise<Start> {
  const { stack, communicator } = parts;
  const leads = communicator === undefined || communicator.rank === 0;
  let path = "";
  const start = leads
    ? await chosenRun(flags.resume, {
      last: true,
      load: (chosen) => {
        path = chosen;
        return holdToResume(chosen, flags.out, stack);
      },
    })
    : undefined;
  if (communicator) path = await communicator.shareValue(path);
  return start ?? {
    checkpoint: await openCheckpoint(path, { optimiser: true }),
    own: folderAbove(path),
  };
}

function folderAbove(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** A run's folder, held before its checkpoint is read: nobody changes it then. */
async function holdToResume(
  path: string,
  out: string | undefined,
  stack: DisposableStack,
): Promise<Start> {
  const own = folderAbove(path);
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
}, (flags) => onRanks((communicator) => main(flags, communicator)));
