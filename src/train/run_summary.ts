import { exists } from "../_files.ts";
import { isHeld, LOG_NAME } from "./run_folder.ts";
import type {
  EpochEvent,
  EvaluationEvent,
  RunEvent,
  StartEvent,
  ValidationEvent,
} from "./run_event.ts";
import { readRunLog } from "./run_log.ts";
import { readRunName } from "./run_name.ts";

/** How a run stands; see {@linkcode RunSummary.state}. */
export type RunState =
  | "running"
  | "finished"
  | "patience"
  | "interrupted"
  | "diverged"
  | "cut"
  | "unlogged";

/** A run in a few numbers, from its log. Plain data, for JSON too. */
export interface RunSummary {
  /** Its folder. */
  folder: string;
  /** The folder's own name. */
  id: string;
  /** The name that a user gave it. */
  name: string | undefined;
  /**
   * `running`: a process trains there; `patience`: validation ended it; `cut`: the last one ended without a
   * word, as by `kill -9`; `interrupted` and `cut` runs can be resumed;
   * `unlogged`: there is a checkpoint, but no log.
   */
  state: RunState;
  /** When it first began. */
  started: string | undefined;
  /** When its last event happened. */
  updated: string | undefined;
  /** How it began or was last resumed. */
  start: StartEvent | undefined;
  /** Epochs that are done. */
  epochs: number;
  /** Steps that are done and logged. */
  steps: number;
  /** Mean time of an epoch, in seconds, over those that one process did whole. */
  secondsPerEpoch: number | undefined;
  /** Means over the last epoch, on the training images. */
  training: { loss: number; accuracy: number } | undefined;
  /** The best validation, as the run has it. */
  validation: ValidationEvent | undefined;
  /** The last evaluation. */
  evaluation: EvaluationEvent | undefined;
}

/**
 * Sums a run up.
 *
 * @param folder The run's folder.
 * @throws {GapcamError} If its log cannot be read; see {@linkcode readRunLog}.
 */
export function summariseRun(folder: string): RunSummary {
  const log = `${folder}/${LOG_NAME}`;
  const events = exists(log) ? readRunLog(log) : [];
  const of = <Name extends RunEvent["event"]>(...names: Name[]) =>
    events.filter((event): event is Extract<RunEvent, { event: Name }> =>
      names.some((name) => name === event.event)
    );
  const start = of("start", "resume").at(-1);
  const epochs = of("epoch");
  const last = epochs.at(-1);
  const whole = wholeEpochs(events);
  return {
    folder,
    id: folder.slice(folder.lastIndexOf("/") + 1),
    name: readRunName(folder),
    state: stateOf(folder, events),
    started: events[0]?.time,
    updated: events.at(-1)?.time,
    start,
    epochs: last?.epoch ?? 0,
    steps: Math.max(0, ...events.map(stepsOf)),
    secondsPerEpoch: whole.length === 0
      ? undefined
      : whole.reduce((sum, { seconds }) => sum + seconds, 0) / whole.length,
    training: last && { loss: last.loss, accuracy: last.accuracy },
    validation: of("validation").findLast(({ best }) => best),
    evaluation: of("evaluation").at(-1),
  };
}

function stateOf(folder: string, events: readonly RunEvent[]): RunState {
  if (isHeld(folder)) return "running";
  if (events.length === 0) return "unlogged";
  const last = events.findLast(({ event }) =>
    event !== "evaluation" && event !== "checkpoint"
  );
  if (last?.event === "stop") return last.reason;
  if (last?.event === "divergence") return "diverged";
  // Version 1 said nothing of an end, but tested then.
  return events.at(-1)?.event === "evaluation" ? "finished" : "cut";
}

function stepsOf(event: RunEvent): number {
  switch (event.event) {
    case "interval":
    case "epoch":
      return event.totalSteps;
    case "start":
    case "resume":
    case "validation":
    case "checkpoint":
    case "stop":
      return event.step;
    default:
      return 0;
  }
}

/** Those that were not resumed in their middle, which have all of their time. */
function wholeEpochs(events: readonly RunEvent[]): EpochEvent[] {
  let begun = 0;
  return events.filter((event): event is EpochEvent => {
    if (event.event === "start" || event.event === "resume") begun = event.step;
    if (event.event !== "epoch") return false;
    return begun <= event.totalSteps - event.stepsPerEpoch;
  });
}
