import type {
  CheckpointEvent,
  DivergenceEvent,
  EvaluationEvent,
  IntervalEvent,
  RunEvent,
  StartEvent,
  ValidationEvent,
} from "../train/run_event.ts";
import type { RunData, RunProgress, ShownMatrix } from "./run_data.ts";
import { ThinnedSeries } from "./thinned_series.ts";

/** As logs of gapcam have them: `2026-11-24T19:41:44.123Z`. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** How much of the speed that is shown the newest interval is. */
const NEWEST_SHARE = 0.2;

/** Puts the events of a run together, one after the other. */
export class RunFold {
  readonly #series = {
    loss: new ThinnedSeries(),
    accuracy: new ThinnedSeries(),
    learningRate: new ThinnedSeries(),
    imagesPerSecond: new ThinnedSeries(),
    epochLoss: new ThinnedSeries(),
    epochAccuracy: new ThinnedSeries(),
    validationLoss: new ThinnedSeries(),
    validationAccuracy: new ThinnedSeries(),
  };
  #start: StartEvent | undefined;
  readonly #starts: RunData["starts"] = [];
  #best: RunData["best"];
  #matrix: ShownMatrix | undefined;
  #evaluation: EvaluationEvent | undefined;
  #divergence: DivergenceEvent | undefined;
  readonly #saved = new Map<string, CheckpointEvent>();
  #started: string | undefined;
  #updated: string | undefined;
  /** The last event that says how the run stands. */
  #last: RunEvent["event"] | undefined;
  #reason: "finished" | "patience" | "interrupted" | undefined;
  #step = 0;
  #epoch = 0;
  #speed: number | undefined;
  #latestLoss: number | undefined;
  /** Seconds of training before the process that trains, and when it began. */
  #before = 0;
  #begun = NaN;
  #seconds = 0;
  readonly #clock = new Clock();

  /** Takes an event. */
  add(event: RunEvent): void {
    this.#started ??= event.time;
    this.#updated = event.time || this.#updated;
    switch (event.event) {
      case "start":
      case "resume":
        this.#begin(event);
        break;
      case "interval":
        this.#interval(event);
        // There are many, and none tells how the run stands.
        return;
      case "epoch":
        this.#tick(event.time);
        this.#step = event.totalSteps;
        this.#epoch = event.epoch;
        this.#latestLoss = event.loss;
        this.#put("epochLoss", event.totalSteps, event.loss);
        this.#put("epochAccuracy", event.totalSteps, event.accuracy);
        break;
      case "validation":
        this.#validation(event);
        break;
      case "checkpoint":
        this.#saved.set(event.file, event);
        return;
      case "stop":
        this.#reason = event.reason;
        break;
      case "divergence":
        this.#divergence = event;
        break;
      case "evaluation":
        this.#evaluated(event);
        break;
      default:
        return;
    }
    this.#last = event.event;
  }

  /** How the run ended, as its log says it; undefined where it says nothing. */
  get ending(): "finished" | "patience" | "interrupted" | "diverged" | "none" {
    if (this.#last === "divergence") return "diverged";
    if (this.#last === "stop") return this.#reason!;
    // A test may come long after; version 1 of the log said nothing of an end.
    if (this.#last === "evaluation") {
      return this.#divergence ? "diverged" : this.#reason ?? "finished";
    }
    return "none";
  }

  /** What a list of runs shows. */
  line() {
    return {
      started: this.#started,
      updated: this.#updated,
      dataset: this.#start?.dataset.name,
      model: this.#start?.model,
      progress: this.#progress(),
      latest: {
        loss: this.#latestLoss,
        validation: this.#best?.accuracy,
        test: this.#evaluation?.accuracy,
      },
    };
  }

  /** All that is known. */
  data() {
    const points = (name: keyof RunData["series"]) =>
      this.#series[name].points();
    return {
      ...this.line(),
      start: this.#start,
      starts: this.#starts,
      series: {
        loss: points("loss"),
        accuracy: points("accuracy"),
        learningRate: points("learningRate"),
        imagesPerSecond: points("imagesPerSecond"),
        epochLoss: points("epochLoss"),
        epochAccuracy: points("epochAccuracy"),
        validationLoss: points("validationLoss"),
        validationAccuracy: points("validationAccuracy"),
      },
      best: this.#best,
      evaluation: this.#evaluation,
      matrix: this.#matrix,
      saved: [...this.#saved.values()],
      divergence: this.#divergence?.message,
    };
  }

  #begin(event: StartEvent): void {
    this.#start = event;
    const { event: kind, time, step, command } = event;
    this.#starts.push({
      event: kind,
      time,
      step,
      // A log may be anybody's.
      ...(isWords(command) ? { command } : {}),
    });
    this.#reason = undefined;
    this.#divergence = undefined;
    this.#speed = undefined;
    // What was done after the last checkpoint is done again.
    for (const one of Object.values(this.#series)) one.cutAfter(step);
    this.#step = step;
    this.#epoch = Math.min(
      this.#epoch,
      Math.floor(step / Math.max(1, event.stepsPerEpoch)),
    );
    this.#before = this.#seconds;
    this.#begun = Date.parse(event.time);
  }

  #interval(event: IntervalEvent): void {
    this.#tick(event.time);
    const { totalSteps: step, imagesPerSecond } = event;
    this.#step = step;
    this.#latestLoss = event.loss;
    this.#put("loss", step, event.loss);
    this.#put("accuracy", step, event.accuracy);
    this.#put("learningRate", step, event.learningRate);
    this.#put("imagesPerSecond", step, imagesPerSecond);
    if (Number.isFinite(imagesPerSecond)) {
      this.#speed = this.#speed === undefined
        ? imagesPerSecond
        : (1 - NEWEST_SHARE) * this.#speed + NEWEST_SHARE * imagesPerSecond;
    }
  }

  #validation(event: ValidationEvent): void {
    this.#tick(event.time);
    this.#put("validationLoss", event.step, event.loss);
    this.#put("validationAccuracy", event.step, event.accuracy);
    const { confusion, classes, ...rest } = event;
    if (event.best) this.#best = rest;
    if (confusion && classes && isSquare(confusion, classes.length)) {
      const { epoch } = event;
      this.#matrix = { split: "validation", classes, confusion, epoch };
    }
  }

  #evaluated(event: EvaluationEvent): void {
    this.#evaluation = event;
    // Of several labels an image there is none.
    if (!isSquare(event.confusion, event.classes.length)) return;
    this.#matrix = {
      split: event.split,
      classes: event.classes.map(({ name }) => name),
      confusion: event.confusion,
      epoch: undefined,
    };
  }

  #put(name: keyof RunData["series"], step: number, value: number): void {
    this.#series[name].add(step, this.#seconds, value);
  }

  /** Time that passes between processes is not time of training. */
  #tick(time: string): void {
    const passed = (this.#clock.read(time) - this.#begun) / 1000;
    if (passed >= 0) this.#seconds = this.#before + passed;
  }

  #progress(): RunProgress | undefined {
    if (!this.#start) return undefined;
    const { config, stepsPerEpoch } = this.#start;
    const { epochs, batchSize } = config;
    const totalSteps = epochs * stepsPerEpoch;
    const left = Math.max(0, totalSteps - this.#step) * batchSize;
    return {
      step: this.#step,
      totalSteps,
      epoch: this.#epoch,
      epochs,
      imagesPerSecond: this.#speed,
      secondsLeft: this.#speed ? left / this.#speed : undefined,
    };
  }
}

/** Reads times of logs; most are of the same minute as the one before. */
class Clock {
  #minute = "";
  #start = NaN;

  /** Milliseconds since 1970. */
  read(time: string): number {
    if (!TIME.test(time)) return Date.parse(time);
    if (!time.startsWith(this.#minute) || this.#minute === "") {
      this.#minute = time.slice(0, 17);
      this.#start = Date.parse(`${this.#minute}00Z`);
    }
    return this.#start + 1000 * Number(time.slice(17, -1));
  }
}

function isWords(found: unknown): found is string[] {
  return Array.isArray(found) &&
    found.every((word) => typeof word === "string");
}

function isSquare(confusion: readonly unknown[], size: number): boolean {
  return confusion.length === size &&
    confusion.every((row) => Array.isArray(row) && row.length === size);
}
