import type { DatasetConfig } from "./checkpoint.ts";
import type { StepReport } from "./epoch_options.ts";
import type { Evaluation } from "./evaluation.ts";
import type { TensorHistogram } from "./tensor_histogram.ts";
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
  /** How many ranks train it, if several do. */
  ranks?: number;
  /** What it runs on; left out of logs of old. */
  machine?: Machine;
  /** The arguments of the command that trains, where one does. */
  command?: string[];
}

/** What a run was made with and on. */
export interface Machine {
  /** Version of Deno. */
  deno: string;
  /** Such as `x86_64-unknown-linux-gnu`. */
  target: string;
  /** Processors that may be used. */
  processors: number;
  /** The device, by its name. */
  name: string;
  /** What computes on it: versions and instructions. */
  version: string;
  /** Threads that compute, on a CPU. */
  threads?: number;
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

/** How parameters and gradients are distributed, after an epoch. */
export interface HistogramsEvent extends TimedEvent {
  /** Tells events apart. */
  event: "histograms";
  /** Epochs that are done. */
  epoch: number;
  /** Steps in all. */
  step: number;
  /** Parameters and running statistics, by name. */
  parameters: Record<string, TensorHistogram>;
  /** The last step's gradients, by their parameters' names. */
  gradients: Record<string, TensorHistogram>;
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
  /** Class names in the order of labels; left out where they are many. */
  classes?: string[];
  /** `confusion[label][predicted]` counts images; left out with `classes`. */
  confusion?: number[][];
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
  | HistogramsEvent
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
