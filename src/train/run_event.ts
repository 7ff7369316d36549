import type { SplitName } from "../data/dataset.ts";
import { GapcamError } from "../error.ts";
import type { DatasetConfig } from "./checkpoint.ts";
import type { StepReport } from "./epoch_options.ts";
import { type Evaluation, evaluationOf } from "./evaluation.ts";
import type { TrainingConfig } from "./training_config.ts";

/**
 * Version of the events that this version writes. It grows where an event that
 * is known changes its meaning, not where one or a number is added.
 */
export const RUN_LOG_VERSION = 2;

/** What every event has. */
export interface TimedEvent {
  /** When it happened, such as `2026-11-24T19:41:44.123Z`. */
  time: string;
}

/** A run began, or went on; the first event of each process that trains. */
export interface StartEvent extends TimedEvent {
  /** Which of the two. */
  event: "start" | "resume";
  /** Version of the events that follow; 1 where a log does not say. */
  version: number;
  /** The model's name. */
  model: string;
  /** Which images it trains on. */
  dataset: DatasetConfig;
  /** How many of them. */
  images: number;
  /** How it trains. */
  config: TrainingConfig;
  /** `cpu` or `cuda`. */
  device: string;
  /** How it multiplies, such as `f32`. */
  precision: string;
  /** Steps an epoch. */
  stepsPerEpoch: number;
  /** Steps that were done before. */
  step: number;
}

/** `logEvery` steps are done; the means are over them. */
export interface IntervalEvent extends TimedEvent, StepReport {
  /** Tells events apart. */
  event: "interval";
  /** Images a second, since the last of these. */
  imagesPerSecond: number;
}

/** An epoch is done; the means are over it. */
export interface EpochEvent extends TimedEvent, StepReport {
  /** Tells events apart. */
  event: "epoch";
  /** How long it took, in this process. */
  seconds: number;
}

/** The network was judged by the images held out for it, after an epoch. */
export interface ValidationEvent extends TimedEvent {
  /** Tells events apart. */
  event: "validation";
  /** Epochs that are done. */
  epoch: number;
  /** Steps in all. */
  step: number;
  /** Images that it was judged by. */
  images: number;
  /** Mean cross-entropy. */
  loss: number;
  /** Share of right answers. */
  accuracy: number;
  /** Share of images whose class is among the first five answers. */
  top5: number;
  /** Whether this is the best so far, which is kept. */
  best: boolean;
  /** How long it took. */
  seconds: number;
}

/** A checkpoint was written. */
export interface CheckpointEvent extends TimedEvent {
  /** Tells events apart. */
  event: "checkpoint";
  /** Its name in the run's folder. */
  file: string;
  /** Epochs that are done. */
  epoch: number;
  /** Steps of the next epoch that are done. */
  batch: number;
  /** Steps in all. */
  step: number;
}

/** The process trains no more. */
export interface StopEvent extends TimedEvent {
  /** Tells events apart. */
  event: "stop";
  /**
   * `finished`: all epochs are done; `patience`: validation had not become
   * better for so many epochs; `interrupted`: it can be resumed.
   */
  reason: "finished" | "patience" | "interrupted";
  /** Epochs that are done. */
  epoch: number;
  /** Steps in all. */
  step: number;
}

/** The loss was not finite or too large, which ended the run. */
export interface DivergenceEvent extends TimedEvent {
  /** Tells events apart. */
  event: "divergence";
  /** Where, and which tensors were largest. */
  message: string;
}

/** The network was tested. */
export interface EvaluationEvent extends TimedEvent, Evaluation {
  /** Tells events apart. */
  event: "evaluation";
}

/** One thing that happened in a run: a line of its log. */
export type RunEvent =
  | StartEvent
  | IntervalEvent
  | EpochEvent
  | ValidationEvent
  | CheckpointEvent
  | StopEvent
  | DivergenceEvent
  | EvaluationEvent;

/** A {@linkcode RunEvent} before it has its time. */
export type RunEventContent = RunEvent extends infer Event
  ? Event extends RunEvent ? Omit<Event, "time"> : never
  : never;

/** An event that happens now. */
export function runEvent(content: RunEventContent): RunEvent {
  const { event, ...rest } = content;
  return { event, time: new Date().toISOString(), ...rest } as RunEvent;
}

type FieldKind = "number" | "string" | "object" | "boolean";

const STEP_REPORT: Readonly<Record<string, FieldKind>> = {
  epoch: "number",
  step: "number",
  stepsPerEpoch: "number",
  totalSteps: "number",
  loss: "number",
  accuracy: "number",
  learningRate: "number",
};

const START: Readonly<Record<string, FieldKind>> = {
  model: "string",
  dataset: "object",
  images: "number",
  config: "object",
  device: "string",
  stepsPerEpoch: "number",
  step: "number",
};

/** What an event must have to be taken for one. */
const FIELDS: Readonly<
  Record<RunEvent["event"], Readonly<Record<string, FieldKind>>>
> = {
  start: START,
  resume: START,
  interval: { ...STEP_REPORT, imagesPerSecond: "number" },
  epoch: { ...STEP_REPORT, seconds: "number" },
  validation: {
    epoch: "number",
    step: "number",
    images: "number",
    loss: "number",
    accuracy: "number",
    top5: "number",
    best: "boolean",
    seconds: "number",
  },
  checkpoint: {
    file: "string",
    epoch: "number",
    batch: "number",
    step: "number",
  },
  stop: { reason: "string", epoch: "number", step: "number" },
  divergence: { message: "string" },
  evaluation: {
    dataset: "string",
    split: "string",
    images: "number",
    correct: "number",
    accuracy: "number",
    loss: "number",
    classes: "object",
    confusion: "object",
  },
};

/** What version 1 called events. */
const EARLIER: Readonly<Record<string, Partial<RunEvent>>> = {
  stopped: { event: "stop", reason: "interrupted" },
  diverged: { event: "divergence" },
};

/**
 * Takes a line of a log for an event.
 *
 * @param record What JSON made of the line.
 * @returns The event; undefined where it is none that this version knows, as
 * one of a later version may be.
 * @throws {GapcamError} If it begins a log whose events have other meanings.
 */
export function parseRunEvent(
  record: Readonly<Record<string, unknown>>,
): RunEvent | undefined {
  const event: Record<string, unknown> = {
    ...record,
    ...(typeof record.event === "string" ? EARLIER[record.event] : undefined),
  };
  const fields = Object.entries(FIELDS)
    .find(([name]) => name === event.event)?.[1];
  if (!fields) return undefined;
  for (const [name, kind] of Object.entries(fields)) {
    // JSON has no other word for a number that is none.
    if (kind === "number" && event[name] === null) event[name] = NaN;
    if (typeof event[name] !== kind || event[name] === null) return undefined;
  }
  event.time = typeof event.time === "string" ? event.time : "";
  if (event.event === "evaluation") return evaluationEvent(event);
  if (event.event === "start" || event.event === "resume") {
    event.version ??= 1;
    if (event.version !== 1 && event.version !== RUN_LOG_VERSION) {
      throw new GapcamError(
        "unsupported",
        `it has version ${JSON.stringify(event.version)}, expected 1 or ` +
          `${RUN_LOG_VERSION}; a later gapcam reads it`,
      );
    }
  }
  return event as unknown as RunEvent;
}

/** Version 1 said less of an evaluation, but all that the rest follows from. */
function evaluationEvent(
  found: Record<string, unknown>,
): EvaluationEvent | undefined {
  const { classes, confusion, top5, calibrationError } = found;
  if (
    !Array.isArray(classes) || !Array.isArray(confusion) ||
    !classes.every((one) => typeof one?.name === "string") ||
    !confusion.every((row) =>
      Array.isArray(row) && row.every((count) => typeof count === "number")
    )
  ) return undefined;
  const given = (value: unknown) =>
    typeof value === "number" ? value : undefined;
  try {
    return {
      event: "evaluation",
      time: found.time as string,
      ...evaluationOf(confusion, {
        classes: classes.map(({ name }) => name),
        dataset: found.dataset as string,
        split: found.split as SplitName,
        loss: found.loss as number,
        top5: given(top5),
        calibrationError: given(calibrationError),
      }),
    };
  } catch {
    // The matrix is of other classes.
    return undefined;
  }
}
