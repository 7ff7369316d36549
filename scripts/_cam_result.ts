/**
 * What `deno task cam` says of one image: on the terminal, as JSON, in the
 * picture's file.
 *
 * @module
 */

import { definedOf } from "../src/_defined_of.ts";
import { printable } from "../src/_printable.ts";
import { percent, topClasses } from "../src/cam/_wording.ts";
import { normaliseMap } from "../src/cam/normalise_map.ts";
import type { MethodExplanation } from "../src/explain/method.ts";
import { evidenceScale } from "../src/cam/evidence_scale.ts";
import type { Region } from "../src/image/fit_image.ts";
import type { FloatMap } from "../src/image/float_map.ts";
import { boxOf, type Look } from "./_cam_pictures.ts";
import type { Failure, Subject } from "./_explain.ts";
import { shownPath } from "./_runs.ts";
import type { MethodAnswer } from "./_shown.ts";

/** Greatest length of a printed line. */
const MOST = 2000;

/** What is printed of one image. */
export interface Result {
  /** The image's number in the data set, or the photograph's path. */
  index: number | string;
  /** The class that the label says; undefined for a photograph. */
  real: string | undefined;
  predicted: string;
  /** The class that the map explains. */
  class: string;
  /** The class that it is compared with, if it is; all below is the difference. */
  against?: string;
  /** The probability of that class. */
  probability: number;
  /** The likeliest classes, five at most. */
  top: { index: number; class: string; probability: number }[];
  logit: number;
  /** The logit that the sum of the map says; of other methods there is none. */
  reconstructed?: number;
  /** How far the sum of the map is from the logit, or an identity from holding. */
  residual?: number;
  /** Which method made the map, where it was chosen, and what stands behind it. */
  method?: MethodResult;
  /** How far its weighted sum over places is from the device's. */
  placeResidual: number;
  minimum: number;
  maximum: number;
  constant: boolean;
  /** The values of the first and the last colour. */
  scale: [number, number];
  /** The box around what speaks for the class, in pixels of the picture. */
  box?: Region | null;
  /** What every method made, where all were asked for. */
  methods?: (MethodResult & {
    residual?: number;
    placeResidual?: number;
    reason?: string;
  })[];
  /** The maps of the likeliest classes, where they were asked for. */
  maps?: MapResult[];
  files: string[];
}

/** What is said of the method that made a map. */
export interface MethodResult {
  name: string;
  layers?: readonly string[];
  standing?: string;
  /** The number that the map explains. */
  value?: number;
  note?: string;
  /** `zero` or `negative` where nothing speaks for the class. */
  empty?: string;
}

/** What is said of the map of one of the likeliest classes. */
export interface MapResult {
  index: number;
  class: string;
  probability: number;
  logit: number;
  residual: number;
  placeResidual: number;
  minimum: number;
  maximum: number;
  box?: Region | null;
}

/** Puts together what is said of an image. */
export function resultOf(
  subject: Subject,
  { classes, look }: { classes: readonly string[]; look: Look },
): Result {
  const { map, proof, place, classIndex, predicted, probabilities, peak } =
    subject.explanation;
  const { against, likeliest, made, all, title, logits } = subject.explanation;
  const boxed = (map: FloatMap) =>
    look.boxes ? { box: boxOf(subject, map, look) ?? null } : {};
  const { signed = false } = look.colours;
  const painted = subject.explanation.painted ?? map;
  const unit = title === undefined ? 1 : 0;
  const scale = evidenceScale(painted, { signed, peak, unit });
  const { minimum, maximum } = normaliseMap(map);
  return {
    index: subject.index,
    real: subject.label === undefined ? undefined : classes[subject.label],
    predicted: classes[predicted]!,
    class: classes[classIndex]!,
    ...(against === undefined ? {} : { against: classes[against]! }),
    probability: probabilities[classIndex]!,
    top: topClasses(probabilities).map(({ index, probability }) => ({
      index,
      class: classes[index]!,
      probability,
    })),
    logit: proof?.logit ??
      logits[classIndex]! - (against === undefined ? 0 : logits[against]!),
    ...(proof
      ? { reconstructed: proof.reconstructed, residual: proof.residual }
      : {}),
    ...(all
      ? { methods: all.map(answerOf) }
      : made
      ? methodResult(made.explanation)
      : {}),
    placeResidual: place.residual,
    minimum,
    maximum,
    constant: minimum === maximum,
    scale: look.notebook ? [minimum, maximum] : [scale.first, scale.last],
    ...boxed(map),
    ...(likeliest
      ? {
        maps: likeliest.map((one) => ({
          index: one.classIndex,
          class: classes[one.classIndex]!,
          probability: probabilities[one.classIndex]!,
          logit: one.proof.logit,
          residual: one.proof.residual,
          placeResidual: one.place!.residual,
          minimum: one.map.data.reduce((a, b) => Math.min(a, b)),
          maximum: one.map.data.reduce((a, b) => Math.max(a, b)),
          ...boxed(one.map),
        })),
      }
      : {}),
    files: [],
  };
}

/** What is said of a method's map. */
export function methodResult(explanation: MethodExplanation): {
  residual?: number;
  method: MethodResult;
} {
  const { method, layers, standing, value, residual, note, empty } =
    explanation;
  return {
    ...(residual === undefined ? {} : { residual }),
    method: {
      name: method,
      ...{ layers, standing, value },
      ...(note === undefined ? {} : { note }),
      ...(empty === undefined ? {} : { empty }),
    },
  };
}

function answerOf(
  { facts, explanation, reason }: MethodAnswer,
): NonNullable<Result["methods"]>[number] {
  if (!explanation) return { name: facts.name, ...(reason ? { reason } : {}) };
  const { method, residual } = methodResult(explanation);
  return {
    ...method,
    ...(residual === undefined ? {} : { residual }),
    placeResidual: explanation.place.residual,
  };
}

/** What a picture's file says of its map. */
export function textsOf(result: Result): Record<string, string> {
  return {
    Class: printable(result.class),
    ...(result.against === undefined
      ? {}
      : { Against: printable(result.against) }),
    Probability: String(result.probability),
    Predicted: printable(result.predicted),
    ...(result.real === undefined ? {} : { Label: printable(result.real) }),
    Logit: String(result.logit),
    ...(result.residual === undefined
      ? {}
      : { Residual: String(result.residual) }),
    ...(result.method === undefined ? {} : {
      Method: result.method.name,
      Standing: result.method.standing,
    }),
    PlaceResidual: String(result.placeResidual),
    Range: `${result.minimum} to ${result.maximum}`,
    Scale: `${result.scale[0]} to ${result.scale[1]}`,
  };
}

/** Prints what the network says of an image, and where its pictures are. */
export function print(result: Result, withFiles: boolean): void {
  const { predicted, real, index } = result;
  console.log(
    printable(
      `ANS : ${predicted}  ` +
        (real === undefined
          ? shownPath(String(index))
          : `REAL : ${real}  ${index}`) +
        mapOf(result),
      MOST,
    ),
  );
  for (const line of methodLines(result)) console.log(printable(line, MOST));
  if (!withFiles) return;
  console.log(
    printable(
      result.top.map((one) => `${one.class} ${percent(one.probability)}`)
        .join(", "),
      MOST,
    ),
  );
  for (const file of result.files) {
    console.log(printable(shownPath(file), MOST));
  }
}

/** Which methods made maps, and what stands behind them. */
function methodLines({ method, methods, residual }: Result): string[] {
  const all = methods ??
    (method ? [{ ...method, ...definedOf({ residual }) }] : []);
  return all.map(({ name, layers = [], standing, residual, empty, reason }) =>
    reason ? `${name}: ${reason}` : [
      `${name}${
        layers.length > 0 ? ` of ${layers.join(", ")}` : ""
      }: ${standing}`,
      residual === undefined ? "" : `residual ${residual.toExponential(1)}`,
      empty === undefined
        ? ""
        : empty === "zero"
        ? "the map is zero everywhere"
        : "no value of the map is above zero",
    ].filter((part) => part).join(", ")
  );
}

/** Which map it is, where it is not the answer's. */
function mapOf({ class: name, against, predicted }: Result): string {
  if (against !== undefined) return `  (map of ${name} against ${against})`;
  return name === predicted ? "" : `  (map of ${name})`;
}

/** Lists on stderr what could not be explained, or read. */
export function report(
  failures: readonly Failure[],
  count: number,
  done: "explained" | "read" = "explained",
): void {
  if (failures.length === 0) return;
  if (count === 1) {
    console.error(`error: ${printable(failures[0]!.reason, MOST)}`);
    return;
  }
  console.error(
    `error: ${failures.length} of ${count} images could not be ${done}:`,
  );
  for (const { reason } of failures) {
    console.error(`  ${printable(reason, MOST)}`);
  }
}
