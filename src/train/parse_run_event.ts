import type { SplitName } from "../data/dataset.ts";
import { GapcamError } from "../error.ts";
import { evaluationOf } from "./evaluation.ts";
import {
  type EvaluationEvent,
  RUN_LOG_VERSION,
  type RunEvent,
} from "./run_event.ts";
import type { TensorHistogram } from "./tensor_histogram.ts";

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
  histograms: {
    epoch: "number",
    step: "number",
    parameters: "object",
    gradients: "object",
  },
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

/** The same, made to be read a million times. */
const FIELD_LISTS = new Map(
  Object.entries(FIELDS).map((
    [name, fields],
  ) => [name, Object.entries(fields)]),
);

/** What version 1 called events. */
const EARLIER: Readonly<Record<string, Partial<RunEvent>>> = {
  stopped: { event: "stop", reason: "interrupted" },
  diverged: { event: "divergence" },
};

/**
 * Takes a line of a log for an event.
 *
 * @param record What JSON made of the line; it becomes the event.
 * @returns The event; undefined where it is none that this version knows, as
 * one of a later version may be.
 * @throws {GapcamError} If it begins a log whose events have other meanings.
 */
export function parseRunEvent(
  record: Record<string, unknown>,
): RunEvent | undefined {
  const event: Record<string, unknown> = { ...record };
  if (
    typeof record.event === "string" && Object.hasOwn(EARLIER, record.event)
  ) {
    Object.assign(event, EARLIER[record.event]);
  }
  const fields = typeof event.event === "string"
    ? FIELD_LISTS.get(event.event)
    : undefined;
  if (!fields) return undefined;
  for (const [name, kind] of fields) {
    // JSON has no other word for a number that is none.
    if (kind === "number" && event[name] === null) event[name] = NaN;
    if (typeof event[name] !== kind || event[name] === null) return undefined;
  }
  event.time = typeof event.time === "string" ? event.time : "";
  if (event.event === "evaluation") return evaluationEvent(event);
  if (
    event.event === "validation" &&
    !isMatrixOf(event.confusion, event.classes)
  ) {
    delete event.classes;
    delete event.confusion;
  }
  if (
    event.event === "histograms" &&
    !(areHistograms(event.parameters) && areHistograms(event.gradients))
  ) return undefined;
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

/** Whether a matrix has a row and a column of counts for each name. */
function isMatrixOf(matrix: unknown, names: unknown): boolean {
  return Array.isArray(names) && Array.isArray(matrix) &&
    names.every((name) => typeof name === "string") &&
    matrix.length === names.length &&
    matrix.every((row) =>
      Array.isArray(row) && row.length === names.length &&
      row.every((count) => typeof count === "number")
    );
}

/** Numbers by the names of tensors, as an event of a file may have them or not. */
function areHistograms(
  found: unknown,
): found is Record<string, TensorHistogram> {
  const isNumber = (value: unknown) => typeof value === "number";
  return Object.values(found as object).every((one) =>
    typeof one === "object" && one !== null &&
    [one.least, one.greatest, one.sum, one.sumOfSquares, one.notFinite]
      .every(isNumber) &&
    Array.isArray(one.counts) && one.counts.every(isNumber)
  );
}

/** Version 1 said less of an evaluation, but all that the rest follows from. */
function evaluationEvent(
  found: Record<string, unknown>,
): EvaluationEvent | undefined {
  const { classes, confusion, top5, calibrationError } = found;
  if (isLabelEvaluation(found)) return found;
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

/** Of several labels an image: nothing follows from a confusion matrix. */
function isLabelEvaluation(
  found: Record<string, unknown>,
): found is Record<string, unknown> & EvaluationEvent {
  const numbers = (one: unknown, names: readonly string[]) =>
    typeof one === "object" && one !== null &&
    names.every((name) =>
      typeof (one as Record<string, unknown>)[name] === "number"
    );
  return numbers(found, [
    "meanAveragePrecision",
    "images",
    "correct",
    "accuracy",
    "loss",
  ]) && typeof found.dataset === "string" &&
    Array.isArray(found.confusion) && found.confusion.length === 0 &&
    Array.isArray(found.classes) &&
    found.classes.every((one) =>
      typeof one?.name === "string" &&
      numbers(one, [
        "images",
        "correct",
        "accuracy",
        "precision",
        "f1",
        "averagePrecision",
      ])
    );
}
