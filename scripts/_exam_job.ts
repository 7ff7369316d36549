/**
 * What `deno task exam` is to do, as its flags say it.
 *
 * @module
 */

import {
  MEASURE_NAMES,
  type MeasureName,
  parseMeasures,
} from "../src/explain/exam/measures.ts";
import type { ExamMethod } from "../src/explain/exam/exam_method.ts";
import { examMethods } from "../src/explain/exam/exam_methods.ts";
import { CONTROL_METHODS } from "../src/explain/exam/controls.ts";
import { GapcamError } from "../src/error.ts";
import {
  type Flag,
  type FlagValues,
  QUIET_FLAG,
  userPath,
} from "./_command.ts";
import {
  NETWORK_FLAGS,
  type NetworkChoice,
  networkChoice,
} from "./_network_flags.ts";

/** Flags of `deno task exam`. */
export const EXAM_FLAGS = {
  methods: {
    type: "string",
    help: "which methods, as cam,grad-cam; among them the controls " +
      CONTROL_METHODS.map(({ name }) => name).join(", "),
    default: "all",
    placeholder: "LIST",
  },
  measures: {
    type: "string",
    help: `what is measured: ${MEASURE_NAMES.join(", ")}`,
    default: "all that the data set allows",
    placeholder: "LIST",
  },
  images: {
    type: "integer",
    min: 1,
    help: "how many images, the first, or how many mosaics",
    default: "64, or all there are",
  },
  mosaics: {
    type: "boolean",
    help: "mosaics of four images of different classes, in full size: in " +
      "which quarter does the map of each class point?",
  },
  recognised: {
    type: "boolean",
    help: "make mosaics of images alone that the network answers right",
  },
  confidence: {
    type: "number",
    min: 0,
    max: 1,
    help: "of those that it gives at least this probability",
    default: "0",
    placeholder: "SHARE",
  },
  layer: {
    type: "string",
    help: "the layer that methods look at which can look at any",
    default: "the last map",
    placeholder: "NAME",
  },
  ...NETWORK_FLAGS,
  "batch-size": {
    type: "integer",
    min: 1,
    max: 4096,
    help: "images at once",
    default: "16",
  },
  steps: {
    type: "integer",
    min: 1,
    max: 10000,
    help: "into how many parts insertion and deletion divide the places",
    default: "20",
  },
  tolerance: {
    type: "number",
    min: 0,
    help: "pixels of the image beside a box that still hit",
    default: "0",
    placeholder: "PIXELS",
  },
  seed: {
    type: "integer",
    min: 0,
    help: "drives mosaics, noise and random weights",
    default: "0",
  },
  html: {
    type: "string",
    help: "write one page with the table, curves and pictures",
    placeholder: "FILE",
  },
  quiet: QUIET_FLAG,
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

/** Which methods to examine, on what, and how to say it. */
export interface ExamJob {
  network: NetworkChoice;
  methods: ExamMethod[];
  /** Whether a method that cannot explain the network is left out, not an error. */
  leaveOut: boolean;
  /** All that the data set allows if undefined. */
  measures: MeasureName[] | undefined;
  /** How many images or mosaics; 64 or fewer if undefined. */
  images: number | undefined;
  /** Whether images are mosaics; and whether of right answers alone. */
  mosaics: "none" | "all" | "recognised";
  /** The least probability of an answer that is recognised, from 0 to 1. */
  confidence: number;
  batchSize: number;
  steps: number;
  tolerance: number;
  seed: number;
  /** A page to be written. */
  html: string | undefined;
  quiet: boolean;
  json: boolean;
}

/**
 * The job that flags describe.
 *
 * @throws {GapcamError} If a method or measure has no such name, or flags
 * contradict each other.
 */
export function examJob(
  flags: FlagValues<typeof EXAM_FLAGS> & { debug?: boolean },
): ExamJob {
  if (flags.recognised && !flags.mosaics) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot choose images that are recognised without mosaics: expected " +
        "--mosaics beside --recognised",
    );
  }
  if (flags.confidence !== undefined && !flags.recognised) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot choose images by the probability of their answers alone: " +
        "expected --mosaics --recognised beside --confidence",
    );
  }
  const methods = listOf(flags.methods ?? "all", "methods");
  const all = methods.length === 1 && methods[0] === "all";
  return {
    network: networkChoice(flags),
    methods: examMethods(
      all ? "all" : methods,
      flags.layer === undefined ? {} : { layer: flags.layer },
    ),
    leaveOut: all,
    measures: flags.measures === undefined || flags.measures === "all"
      ? undefined
      : parseMeasures(listOf(flags.measures, "measures")),
    images: flags.images,
    mosaics: flags.recognised ? "recognised" : flags.mosaics ? "all" : "none",
    confidence: flags.confidence ?? 0,
    batchSize: flags["batch-size"] ?? 16,
    steps: flags.steps ?? 20,
    tolerance: flags.tolerance ?? 0,
    seed: flags.seed ?? 0,
    html: flags.html && userPath(flags.html),
    quiet: flags.quiet,
    json: flags.json,
  };
}

function listOf(text: string, what: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => name !== "")) return names;
  throw new GapcamError(
    "invalid-argument",
    `Cannot read ${what} ${JSON.stringify(text)}: expected names with commas ` +
      "between them",
  );
}
