import type { Evaluation } from "../train/evaluation.ts";
import type {
  CheckpointEvent,
  StartEvent,
  ValidationEvent,
} from "../train/run_event.ts";
import type { RunState } from "../train/run_summary.ts";
import type { SeriesPoints } from "./thinned_series.ts";

/** How far a run is, and how fast. */
export interface RunProgress {
  /** Steps that are done. */
  step: number;
  /** Steps that there are to be. */
  totalSteps: number;
  /** Epochs that are done. */
  epoch: number;
  /** Epochs that there are to be. */
  epochs: number;
  /** Images a second, lately. */
  imagesPerSecond: number | undefined;
  /** Seconds that are left at that speed; undefined where none is known. */
  secondsLeft: number | undefined;
}

/** A run in a line: what a list of runs shows. */
export interface RunLine {
  /** The name of its folder. */
  id: string;
  /** The name that a user gave it. */
  name: string | undefined;
  /** How it stands. */
  state: RunState;
  /** Why its log is not shown to the end, if it is not. */
  problem: string | undefined;
  /** When it began. */
  started: string | undefined;
  /** When something happened last. */
  updated: string | undefined;
  /** The data set's name. */
  dataset: string | undefined;
  /** The model's name. */
  model: string | undefined;
  /** How far it is. */
  progress: RunProgress | undefined;
  /** The last number of each. */
  latest: {
    loss: number | undefined;
    validation: number | undefined;
    test: number | undefined;
  };
}

/** A file with a network. */
export interface CheckpointLine {
  /** Its name. */
  file: string;
  /** Its size. */
  bytes: number;
  /** When it was written. */
  written: string | undefined;
  /** How far the run was then, where the log says it. */
  epoch: number | undefined;
  /** Steps that were done then. */
  step: number | undefined;
}

/** A confusion matrix, and what it is of. */
export interface ShownMatrix extends Pick<Evaluation, "confusion"> {
  /** The split that was judged. */
  split: string;
  /** Class names in the order of labels. */
  classes: string[];
  /** Epochs that were done; undefined after the last test. */
  epoch: number | undefined;
}

/** All that a page shows of a run, but for its film. Plain data, for JSON. */
export interface RunData extends RunLine {
  /** How it began or was last resumed. */
  start: StartEvent | undefined;
  /** Where processes began to train: the first, and each that went on. */
  starts: Pick<StartEvent, "event" | "time" | "step" | "command">[];
  /** Curves by name. */
  series: {
    loss: SeriesPoints;
    accuracy: SeriesPoints;
    learningRate: SeriesPoints;
    imagesPerSecond: SeriesPoints;
    epochLoss: SeriesPoints;
    epochAccuracy: SeriesPoints;
    validationLoss: SeriesPoints;
    validationAccuracy: SeriesPoints;
  };
  /** The best by validation, without its matrix. */
  best: Omit<ValidationEvent, "confusion" | "classes"> | undefined;
  /** The last test. */
  evaluation: Evaluation | undefined;
  /** The newest matrix that there is. */
  matrix: ShownMatrix | undefined;
  /** Its networks. */
  checkpoints: CheckpointLine[];
  /** When checkpoints were written, the last of each file. */
  saved: CheckpointEvent[];
  /** What ended it, where it diverged. */
  divergence: string | undefined;
  /** Size of its film; 0 without one. */
  filmBytes: number;
}
