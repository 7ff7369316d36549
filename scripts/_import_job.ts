/**
 * What `deno task import` is to do, as its flags say it.
 *
 * @module
 */

import { definedOf } from "../src/_defined_of.ts";
import { DATASET_NAMES, type DatasetName } from "../src/data/open_dataset.ts";
import { GapcamError } from "../src/error.ts";
import {
  type Interpolation,
  INTERPOLATIONS,
} from "../src/image/preprocessing.ts";
import { modelNameOf } from "../src/models/find_model.ts";
import type { WeightConventions } from "../src/train/usual_conventions.ts";
import { type Flag, type FlagValues, userPath } from "./_command.ts";

/** Flags of `deno task import`. */
export const IMPORT_FLAGS = {
  model: {
    type: "string",
    formerly: ["arch"],
    help:
      "vgg11, vgg13, vgg16, vgg19, each with _bn for batch normalisation; a " +
      "list as 32,32,M,64; or a network as resnet18 (docs/networks.md); " +
      "recognised if left out, lists are not",
    placeholder: "NAME",
  },
  head: {
    type: "string",
    choices: ["keep", "new"],
    help: "keep the linear layer that decides, or start a fresh one",
    default: "keep",
    placeholder: "HEAD",
  },
  classes: {
    type: "string",
    help: "class names in the order of the logits, as cat,dog",
    placeholder: "LIST",
  },
  dataset: {
    type: "string",
    choices: DATASET_NAMES,
    help: "the data set of the classes; names them too where it is there",
    placeholder: "NAME",
  },
  "image-size": {
    type: "integer",
    min: 1,
    max: 8192,
    help: "height and width that images are resized to",
    default: "224, or what the network's published weights take",
    placeholder: "PIXELS",
  },
  slope: {
    type: "number",
    min: 0,
    max: 1,
    help: "slope of the leaky ReLU",
    default: "0.2 for gapcam's and the notebook's names, else 0",
  },
  mean: {
    type: "string",
    help: "mean of each channel of the images in [0, 1]",
    default: "0.5 for gapcam's and the notebook's names, else ImageNet's",
    placeholder: "LIST",
  },
  deviation: {
    type: "string",
    help: "standard deviation of each channel",
    default: "likewise",
    placeholder: "LIST",
  },
  interpolation: {
    type: "string",
    choices: INTERPOLATIONS,
    help: "how photographs are resized",
    default: "bilinear",
    placeholder: "HOW",
  },
  "crop-share": {
    type: "number",
    above: 0,
    max: 1,
    help: "share of a photograph's shorter side that is looked at, as 0.875",
    default: "1",
    placeholder: "SHARE",
  },
  check: {
    type: "string",
    help: "compare logits on the CPU first: normalised images [N, C, H, W] " +
      "(or [N, H, W, C]) and what the other tool makes of them, both from numpy.save",
    placeholder: "INPUT.npy OUTPUT.npy",
  },
  seed: { type: "integer", min: 0, help: "of a fresh head", default: "0" },
  out: {
    type: "string",
    help: "the safetensors file to write",
    placeholder: "FILE",
  },
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

/** Files of values and of what a network is to make of them. */
export interface ImportCheck {
  /** The file that is imported. */
  source: string;
  input: string;
  output: string;
}

/** Which weights become a checkpoint, and what is known of them. */
export interface ImportJob {
  /** The file or the run of the weights, as it was typed. */
  source: string;
  /** The safetensors file to write. */
  out: string;
  /** The architecture's name; recognised if undefined. */
  model: string | undefined;
  head: "keep" | "new";
  classes: readonly string[] | undefined;
  dataset: DatasetName | undefined;
  /** What the network was trained with; what is left out is assumed. */
  conventions: Partial<WeightConventions> & { imageSize?: number };
  /** What to compare first, if anything. */
  check: ImportCheck | undefined;
  /** Of a fresh head. */
  seed: number | undefined;
  json: boolean;
}

/**
 * The job that flags describe.
 *
 * @throws {GapcamError} If they leave a file open or a list is none.
 */
export function importJob(flags: FlagValues<typeof IMPORT_FLAGS>): ImportJob {
  // `--check a.npy b.npy` reads as a value and a name.
  const expected = flags.check === undefined
    ? undefined
    : flags.positional.findLast((name) => /\.npy$/i.test(name));
  const sources = flags.positional.filter((name) => name !== expected);
  const [source, ...rest] = sources;
  if (source === undefined || rest.length > 0) {
    fail(`Cannot import ${sources.length} files: name one`);
  }
  if (flags.check !== undefined && expected === undefined) {
    fail(
      `Cannot check an import with ${flags.check} alone: name the file of what ` +
        "is expected as well, as --check input.npy output.npy",
    );
  }
  const { out } = flags;
  if (!out) fail("Cannot import weights without --out FILE.safetensors");
  if (!/\.safetensors$/i.test(out)) {
    fail(
      `Cannot write the import to ${out}: it becomes a safetensors file, whose ` +
        "name ends in .safetensors; deno task export writes other formats",
    );
  }
  return {
    source,
    out: userPath(out),
    model: flags.model && modelNameOf(flags.model),
    head: (flags.head ?? "keep") as "keep" | "new",
    classes: flags.classes?.split(",").map((name) => name.trim()),
    dataset: flags.dataset as DatasetName | undefined,
    conventions: definedOf({
      negativeSlope: flags.slope,
      mean: flags.mean ? numbers("mean", flags.mean) : undefined,
      deviation: flags.deviation
        ? numbers("deviation", flags.deviation)
        : undefined,
      imageSize: flags["image-size"],
      interpolation: flags.interpolation as Interpolation | undefined,
      cropShare: flags["crop-share"],
    }),
    check: flags.check === undefined ? undefined : {
      source: userPath(source),
      input: userPath(flags.check),
      output: userPath(expected!),
    },
    seed: flags.seed,
    json: flags.json,
  };
}

function numbers(flag: string, text: string): number[] {
  const values = text.split(",").map(Number);
  if (values.every((value) => Number.isFinite(value))) return values;
  fail(
    `Cannot read --${flag} ${JSON.stringify(text)}: expected a list as ` +
      "0.485,0.456,0.406",
  );
}

function fail(message: string): never {
  throw new GapcamError("invalid-argument", message);
}
