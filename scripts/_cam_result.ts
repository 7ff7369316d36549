/**
 * What `deno task cam` says of one image: on the terminal, as JSON, in the
 * picture's file.
 *
 * @module
 */

import { printable } from "../src/_printable.ts";
import { percent, topClasses } from "../src/cam/_wording.ts";
import { evidenceScale } from "../src/cam/evidence_scale.ts";
import type { Region } from "../src/image/fit_image.ts";
import type { FloatMap } from "../src/image/float_map.ts";
import { boxOf, type Look } from "./_cam_pictures.ts";
import type { Failure, Subject } from "./_explain.ts";
import { shownPath } from "./_runs.ts";

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
  reconstructed: number;
  /** How far the sum of the map is from the logit. */
  residual: number;
  /** How far its weighted sum over places is from the device's. */
  placeResidual: number;
  minimum: number;
  maximum: number;
  constant: boolean;
  /** The values of the first and the last colour. */
  scale: [number, number];
  /** The box around what speaks for the class, in pixels of the picture. */
  box?: Region | null;
  /** The maps of the likeliest classes, where they were asked for. */
  maps?: MapResult[];
  files: string[];
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
  const { against, likeliest } = subject.explanation;
  const boxed = (map: FloatMap) =>
    look.boxes ? { box: boxOf(subject, map, look) ?? null } : {};
  const { signed = false } = look.colours;
  const scale = evidenceScale(map, { signed, peak });
  const { minimum, maximum } = scale;
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
    logit: proof.logit,
    reconstructed: proof.reconstructed,
    residual: proof.residual,
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
    Residual: String(result.residual),
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
