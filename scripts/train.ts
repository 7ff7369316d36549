/**
 * `deno task train`: trains a network and says how good it became.
 *
 * @module
 */

import type { Device } from "../src/device/device.ts";
import { Network } from "../src/nn/network.ts";
import { parametersOf } from "../src/nn/parameters.ts";
import { openPytorch } from "../src/weights/read_pytorch.ts";
import { openSafetensors } from "../src/weights/read_safetensors.ts";
import { toStateDict } from "../src/weights/stored_tensor.ts";
import { type Checkpoint, OPTIMISER_PREFIX } from "../src/train/checkpoint.ts";
import { loadCheckpoint } from "../src/train/checkpoint_file.ts";
import { evaluate } from "../src/train/evaluate.ts";
import { formatEvaluation } from "../src/train/evaluation.ts";
import { initialWeights } from "../src/train/initial_weights.ts";
import {
  CHECKPOINT_NAME,
  createRunFolder,
  LOG_NAME,
  runName,
} from "../src/train/run_folder.ts";
import { RunLog } from "../src/train/run_log.ts";
import { train } from "../src/train/train.ts";
import { runCommand, userPath } from "./_command.ts";
import { Interrupt, INTERRUPTED } from "./_interrupt.ts";
import { chosenDevice } from "./_network.ts";
import { formatSeconds, ProgressBar } from "./_progress.ts";
import { chosenCheckpoint, runsFolder, shownPath } from "./_runs.ts";
import { TRAIN_FLAGS, type TrainFlags } from "./_train_flags.ts";
import { type Job, newJob, resumedJob } from "./_train_job.ts";
import { listUnreadable } from "./_unreadable.ts";

async function main(flags: TrainFlags): Promise<number> {
  const print = flags.json ? console.error : console.log;
  const resumed = flags.resume === undefined
    ? undefined
    : chosenCheckpoint(flags.resume);
  const checkpoint = resumed
    ? await loadCheckpoint(resumed, { optimiser: true })
    : undefined;
  using device = chosenDevice(flags);
  const job = checkpoint
    ? await resumedJob(flags, checkpoint)
    : await newJob(flags, { gpu: device.backend === "cuda" });
  using network = await startNetwork(device, job, flags.init, print);
  const folder = flags.out
    ? userPath(flags.out)
    : resumed
    ? resumed.slice(0, resumed.lastIndexOf("/"))
    : `${runsFolder()}/${runName(new Date())}`;
  if (resumed && flags.out) {
    createRunFolder(folder, { resume: holds(folder, resumed) });
  }
  describe(job, { device, network, folder, checkpoint, print });

  using interrupt = new Interrupt(() =>
    print("\nStopping after this step; Ctrl-C again stops at once")
  );
  using bar = new ProgressBar();
  const showsBar = !flags.json && Deno.stdout.isTerminal();
  const clock = new TimeLeft();
  const result = await train(network, job.trainSet, {
    config: job.config,
    modelName: job.modelName,
    dataset: job.dataset,
    folder,
    ...(checkpoint ? { checkpoint } : {}),
    signal: interrupt.signal,
    onStart: ({ step }) => clock.start(step),
    onStep: (report) => {
      if (!showsBar) return;
      const { epochs, batchSize } = job.config;
      const { secondsPerStep, seconds } = clock.at(
        report.totalSteps,
        epochs * report.stepsPerEpoch,
      );
      bar.draw({
        label: `epoch ${report.epoch}/${epochs}`,
        share: report.step / report.stepsPerEpoch,
        notes: [
          `loss ${report.loss.toFixed(3)}`,
          `${(batchSize / secondsPerStep).toFixed(0)} images/s`,
          `${formatSeconds(seconds)} left`,
        ],
      });
    },
    onInterval: (report) => {
      if (showsBar) return;
      print(
        `[${report.epoch}, ${report.step}] loss: ${report.loss.toFixed(3)}`,
      );
    },
    onEpoch: (report) => {
      bar.clear();
      print(
        `epoch ${report.epoch}: loss ${report.loss.toFixed(3)}, accuracy ${
          (100 * report.accuracy).toFixed(2)
        } % of the training images, ${formatSeconds(report.seconds)}`,
      );
    },
  });
  bar.clear();
  const shownFolder = shownPath(folder);
  if (!result.finished) {
    print(
      `Stopped after step ${result.steps}; saved. Go on with: ` +
        `deno task train --resume ${shownFolder}`,
    );
    return INTERRUPTED;
  }
  const { imageSize, mean, deviation } = job.config;
  const evaluation = await evaluate(network, job.testSet, {
    batchSize: job.config.batchSize,
    inputSize: { height: imageSize, width: imageSize },
    mean,
    deviation,
    signal: interrupt.signal,
    onProgress: (done) => {
      if (!showsBar) return;
      bar.draw({
        label: "testing",
        share: done / job.testSet.length,
        notes: [],
      });
    },
  }).catch((error) => {
    if (interrupt.signal.aborted) return undefined;
    throw error;
  });
  bar.clear();
  if (!evaluation) {
    print(`Stopped while testing. Go on with: deno task eval`);
    return INTERRUPTED;
  }
  {
    using log = new RunLog(`${folder}/${LOG_NAME}`);
    log.write({ ...evaluation, event: "evaluation" });
  }
  listUnreadable(job.trainSet, job.testSet);
  if (flags.json) {
    const { finished: _, ...rest } = result;
    console.log(JSON.stringify({ folder, ...rest, evaluation }));
  } else {
    print(`\n${formatEvaluation(evaluation)}`);
    print(
      `\nSaved in ${shownFolder}. See where it looks with: ` +
        "deno task cam --index 3",
    );
  }
  return 0;
}

/** Puts the job's model on the device, from fresh weights or from a file. */
async function startNetwork(
  device: Device,
  job: Job,
  init: string | undefined,
  print: (line: string) => void,
): Promise<Network> {
  const { seed } = job.config;
  if (init === undefined) return new Network(device, job.model, { seed });
  const { tensors } = /\.pth?$/.test(init)
    ? await openPytorch(userPath(init))
    : await openSafetensors(userPath(init));
  for (const name of tensors.keys()) {
    if (name.startsWith(OPTIMISER_PREFIX)) tensors.delete(name);
  }
  const { state, taken, fresh, unused } = initialWeights(
    job.model,
    toStateDict(tensors),
    { seed },
  );
  print(
    `Weights: ${taken.length} tensors from ${init}` +
      (fresh.length > 0 ? `; fresh: ${fresh.join(", ")}` : "") +
      (unused.length > 0 ? `; not used: ${unused.join(", ")}` : ""),
  );
  return new Network(device, job.model, { state });
}

/** Whether a folder is that of a checkpoint. */
function holds(folder: string, checkpoint: string): boolean {
  return `${folder.replace(/\/+$/, "")}/${CHECKPOINT_NAME}` === checkpoint;
}

function describe(
  job: Job,
  parts: {
    device: Device;
    network: Network;
    folder: string;
    checkpoint: Checkpoint | undefined;
    print: (line: string) => void;
  },
): void {
  const { config, trainSet, testSet } = job;
  const { device, checkpoint, print } = parts;
  if (job.preset) {
    print(`Preset: ${job.preset.name} (${job.preset.reason})`);
  }
  const { name, version } = device.describe();
  // The CPU's version names it already.
  const which = device.backend === "cpu" ? version : `${name}, ${version}`;
  print(`Device: ${which} (${device.reason})`);
  print(
    `Data: ${trainSet.name}, ${trainSet.length} images to train and ` +
      `${testSet.length} to test, ${trainSet.classes.length} classes`,
  );
  for (const note of trainSet.notes ?? []) print(`  ${note}`);
  const count = parametersOf(job.model)
    .filter(({ trainable }) => trainable)
    .map(({ shape }) => shape.reduce((product, size) => product * size, 1))
    .reduce((sum, size) => sum + size, 0);
  print(
    `Model: ${job.modelName}, ${count.toLocaleString("en-US")} parameters, ` +
      `images of ${config.imageSize} x ${config.imageSize}`,
  );
  print(
    `Training: ${config.epochs} epochs in batches of ${config.batchSize}, ` +
      `${config.optimiser} at ${config.learningRate}, ${config.schedule}`,
  );
  if (checkpoint) {
    const { epoch, batch } = checkpoint.progress;
    print(`Resuming after epoch ${epoch}, step ${batch}`);
  }
  print(`Run: ${shownPath(parts.folder)}\n`);
}

/** Estimates how long the rest of a run takes. */
class TimeLeft {
  #time = performance.now();
  #step = 0;

  start(step: number): void {
    this.#time = performance.now();
    this.#step = step;
  }

  at(step: number, steps: number): { secondsPerStep: number; seconds: number } {
    const seconds = (performance.now() - this.#time) / 1000;
    const secondsPerStep = seconds / Math.max(1, step - this.#step);
    return { secondsPerStep, seconds: secondsPerStep * (steps - step) };
  }
}

await runCommand({
  name: "train",
  summary: "Trains a network and prints how good it became on the test split.",
  flags: TRAIN_FLAGS,
}, main);
