/**
 * What `deno task train` says while it works.
 *
 * @module
 */

import { printable } from "../src/_printable.ts";
import { describeImbalance } from "../src/data/class_balance.ts";
import type { Communicator } from "../src/device/communicator.ts";
import type { Device } from "../src/device/device.ts";
import { parametersOf } from "../src/nn/parameters.ts";
import type { Checkpoint } from "../src/train/checkpoint.ts";
import type { StepReport } from "../src/train/epoch_options.ts";
import type {
  EpochEvent,
  RunEvent,
  StartEvent,
  StopEvent,
  ValidationEvent,
} from "../src/train/run_event.ts";
import type { Output } from "./_output.ts";
import { formatSeconds, ProgressBar } from "./_progress.ts";
import { shownPath } from "./_runs.ts";
import type { Job } from "./_train_job.ts";
import { elementCount } from "../src/host_tensor.ts";
import { few } from "../src/weights/_quote.ts";
import { isHeadAlone, normNames } from "./_fine_tune.ts";

/** Without a terminal something is printed at least so often. */
const LONGEST_SILENCE_MS = 30_000;

/** Which device computes, and why. */
export function deviceText(device: Device): string {
  const { name, version } = device.describe();
  // The CPU's version names it already.
  const which = device.backend === "cpu" ? version : `${name}, ${version}`;
  return `${which} (${device.reason})`;
}

/** How many processes train, where, and what joins them. */
export function ranksText(communicator: Communicator): string {
  const { size, hosts, version, threads } = communicator.description;
  return `${size} on ${count(hosts, "host")}, ${
    count(threads, "thread")
  } for the first, joined by ${version}`;
}

/** Says what is to be trained, on what and how. */
export function describeJob(
  job: Job,
  parts: {
    folder: string;
    checkpoint: Checkpoint | undefined;
    ranks: number;
    output: Output;
  },
): void {
  const { config, trainSet, validationSet, testSet } = job;
  const { checkpoint } = parts;
  const print = (line: string) => parts.output.line(line);
  if (job.preset) {
    print(`Preset: ${job.preset.name} (${job.preset.reason})`);
  }
  const classes = trainSet.classes.length;
  print(
    `Data: ${printable(trainSet.name)}, ${count(trainSet.length, "image")} ` +
      `to train${
        validationSet ? `, ${validationSet.length} to validate` : ""
      }` +
      ` and ${testSet.length} to test, ${count(classes, "class")}`,
  );
  const imbalance = describeImbalance(trainSet);
  for (
    const note of [...trainSet.notes ?? [], ...(imbalance ? [imbalance] : [])]
  ) {
    print(`  ${printable(note, 1000)}`);
  }
  const parameters = parametersOf(job.model)
    .filter(({ trainable }) => trainable)
    .map(({ shape }) => elementCount(shape))
    .reduce((sum, size) => sum + size, 0);
  print(
    `Model: ${printable(job.modelName)}, ` +
      `${parameters.toLocaleString("en-US")} parameters, ` +
      `images of ${config.imageSize} x ${config.imageSize}`,
  );
  print(
    `Training: ${count(config.epochs, "epoch")} in batches of ` +
      `${config.batchSize}, ${config.optimiser} at ${config.learningRate}, ` +
      config.schedule,
  );
  for (const line of learningLines(job)) print(`  ${line}`);
  if (checkpoint) {
    const { epoch, batch } = checkpoint.progress;
    print(`Resuming after epoch ${epoch}, step ${batch}`);
    const { ranks = 1 } = checkpoint;
    if (ranks !== parts.ranks) {
      print(
        `  trained by ${count(ranks, "rank")} so far, by ${parts.ranks} now: ` +
          "its sums are rounded otherwise than those of an uncut run",
      );
    }
  }
  print(`Run: ${shownPath(parts.folder)}\n`);
}

/** What learns when, and what of images changes, where that is not all and nothing. */
function learningLines({ config, model }: Job): string[] {
  const { freeze, headEpochs, trunkRate, flip, crop, augmentation } = config;
  const changes = [
    ...(flip ? [flip === true ? "flips" : "alternating flips"] : []),
    ...(crop > 0 ? ["crops"] : []),
    ...Object.keys(augmentation).map((name) =>
      name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    ),
  ];
  const all = isHeadAlone(model, freeze);
  const norms = normNames(model);
  const still = norms.length > 0 &&
    norms.every((name) => freeze.includes(name));
  const frozen = still
    ? freeze.filter((name) => !norms.includes(name))
    : freeze;
  return [
    ...(all && freeze.length > 0
      ? ["the layer that decides learns alone"]
      : frozen.length > 0
      ? [`frozen: ${few(frozen)}`]
      : []),
    ...(still && !all
      ? ["batch normalisation stays as it is, with its running statistics"]
      : []),
    ...(headEpochs > 0 && !all
      ? [
        `the layer that decides learns alone in the first ${
          headEpochs === 1 ? "epoch" : `${headEpochs} epochs`
        }`,
      ]
      : []),
    ...(trunkRate !== 1 && !all
      ? [`all other layers learn at ${trunkRate} of its rate`]
      : []),
    ...(changes.length > 0 ? [`random changes: ${changes.join(", ")}`] : []),
  ];
}

/** Draws or prints how far a run has come. */
export class TrainReport implements Disposable {
  readonly #job: Job;
  readonly #output: Output;
  readonly #bar: ProgressBar | undefined;
  #printed = performance.now();
  #shownStep = -1;
  /** What an epoch came to, until it is saved. */
  readonly #unsaved: string[] = [];
  #began = { time: performance.now(), step: 0 };

  /** `bar`: whether to draw on a terminal; else lines are printed. */
  constructor(job: Job, options: { output: Output; bar: boolean }) {
    this.#job = job;
    this.#output = options.output;
    this.#bar = options.bar ? new ProgressBar() : undefined;
  }

  /** The training step is being compiled, which may take a minute. */
  compiling(): void {
    const text = "compiling the training step";
    const state = { label: text, share: 0, notes: [] };
    if (this.#bar) this.#bar.draw(state, { waiting: true });
    else this.#print(`[${text}]`);
  }

  /** Something happened. */
  event(event: RunEvent): void {
    switch (event.event) {
      case "start":
      case "resume":
        return this.#start(event);
      case "interval":
        return this.#interval(event);
      case "epoch":
        return this.#epoch(event);
      case "validation":
        return this.#validation(event);
      case "checkpoint":
        return this.#saved();
      case "stop":
        this.#saved();
        return this.#stop(event);
      case "divergence":
        return this.#saved();
    }
  }

  /** The first step begins. */
  #start({ step, stepsPerEpoch }: StartEvent): void {
    this.#began = { time: performance.now(), step };
    const { epochs } = this.#job.config;
    const epoch = Math.min(epochs, Math.floor(step / stepsPerEpoch) + 1);
    this.clear();
    this.#bar?.draw({
      label: `epoch ${epoch}/${epochs}`,
      share: (step % stepsPerEpoch) / stepsPerEpoch,
      notes: ["first step"],
    }, { waiting: true });
  }

  /** A step is done. */
  step(report: StepReport): void {
    if (!this.#bar) {
      if (performance.now() - this.#printed < LONGEST_SILENCE_MS) return;
      this.#interval(report);
      return;
    }
    const { epochs, batchSize } = this.#job.config;
    const seconds = (performance.now() - this.#began.time) / 1000;
    const secondsPerStep = seconds /
      Math.max(1, report.totalSteps - this.#began.step);
    const left = epochs * report.stepsPerEpoch - report.totalSteps;
    this.#bar.draw({
      label: `epoch ${report.epoch}/${epochs}`,
      share: report.step / report.stepsPerEpoch,
      notes: [
        `loss ${report.loss.toFixed(3)}`,
        `${rateText(batchSize / secondsPerStep)} images/s`,
        `${formatSeconds(secondsPerStep * left)} left`,
      ],
    });
  }

  /** An interval is done. */
  #interval(report: StepReport): void {
    if (this.#bar || report.totalSteps === this.#shownStep) return;
    this.#shownStep = report.totalSteps;
    this.#print(
      `[${report.epoch}, ${report.step}] loss: ${report.loss.toFixed(3)}`,
    );
  }

  /** An epoch is done. */
  #epoch(report: EpochEvent): void {
    this.#unsaved.push(
      `epoch ${report.epoch}: loss ${report.loss.toFixed(3)}, accuracy ${
        (100 * report.accuracy).toFixed(2)
      } % of the training images, ${formatSeconds(report.seconds)}`,
    );
  }

  #validation(event: ValidationEvent): void {
    this.#unsaved.push(
      `  validation: loss ${event.loss.toFixed(3)}, accuracy ${
        (100 * event.accuracy).toFixed(2)
      } %${event.best ? ", the best so far" : ""}`,
    );
  }

  /** Says what the epoch came to: who reads it may rely on it. */
  #saved(): void {
    if (this.#unsaved.length === 0) return;
    this.clear();
    for (const line of this.#unsaved.splice(0)) this.#print(line);
  }

  #stop({ reason, epoch }: StopEvent): void {
    if (reason !== "patience") return;
    this.clear();
    const { patience } = this.#job.config;
    this.#print(
      `Stopped after epoch ${epoch}: ${count(patience, "epoch")} without a ` +
        "better one",
    );
  }

  /** So many images' features are computed. */
  computing(done: number): void {
    this.#judging("computing features", done, this.#job.trainSet.length);
  }

  /** So many images are done of those that judge an epoch. */
  validating(done: number): void {
    this.#judging("validating", done, this.#job.validationSet?.length ?? 0);
  }

  /** So many test images are done. */
  testing(done: number): void {
    this.#judging("testing", done, this.#job.testSet.length);
  }

  #judging(label: string, done: number, length: number): void {
    if (this.#bar) {
      this.#bar.draw({ label, share: done / length, notes: [] });
    } else if (performance.now() - this.#printed >= LONGEST_SILENCE_MS) {
      this.#print(`[${label}: ${done} of ${length} images]`);
    }
  }

  /** Removes the bar, so that lines can be printed. */
  clear(): void {
    this.#bar?.clear();
  }

  /** Removes the bar. */
  [Symbol.dispose](): void {
    this.clear();
  }

  #print(line: string): void {
    this.#printed = performance.now();
    this.#output.line(line);
  }
}

function count(number: number, what: string): string {
  const many = what.endsWith("s") ? `${what}es` : `${what}s`;
  return `${number} ${number === 1 ? what : many}`;
}

/** A slow network does less than an image a second. */
function rateText(rate: number): string {
  return rate < 9.95 ? rate.toFixed(1) : rate.toFixed(0);
}
