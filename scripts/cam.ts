/**
 * `deno task cam`: where a trained network looks.
 *
 * @module
 */

import { normaliseMap } from "../src/cam/normalise_map.ts";
import { GapcamError } from "../src/error.ts";
import { COLORMAP_NAMES } from "../src/image/colormap.ts";
import { encodePng } from "../src/image/encode_png.ts";
import { grid } from "../src/image/grid.ts";
import type { Image } from "../src/image/image.ts";
import { resizeBilinear } from "../src/image/resize_bilinear.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import {
  explainDataset,
  explainPhotographs,
  type Subject,
} from "./_explain.ts";
import { parseClass } from "./_indices.ts";
import { NETWORK_FLAGS, openRun } from "./_network.ts";
import { writeFile } from "./_pictures.ts";
import { shownPath } from "./_runs.ts";

const FLAGS = {
  index: {
    type: "integer",
    min: 0,
    help: "one image of the data set",
    default: "3",
  },
  indices: {
    type: "string",
    help: "several images, such as 0-63 or 1,5,8-10",
    placeholder: "LIST",
  },
  image: {
    type: "string",
    multiple: true,
    help: "photographs instead (JPEG, PNG); several, and patterns as *.jpg",
    placeholder: "FILE",
  },
  fit: {
    type: "string",
    choices: ["crop", "stretch"],
    help: "how a photograph becomes a square",
    default: "crop",
    placeholder: "HOW",
  },
  "full-size": {
    type: "boolean",
    help: "pictures in the photograph's own size",
  },
  class: {
    type: "string",
    help: "the class to explain, by name or number",
    default: "the predicted one",
    placeholder: "CLASS",
  },
  ...NETWORK_FLAGS,
  out: {
    type: "string",
    help: "folder of the pictures",
    default: "cam in the run's folder",
    placeholder: "FOLDER",
  },
  size: {
    type: "integer",
    min: 8,
    max: 4096,
    help: "height and width of a picture",
    default: "the network's, at least 224",
    placeholder: "PIXELS",
  },
  alpha: {
    type: "number",
    min: 0,
    max: 1,
    help: "share of the colours in the overlay",
    default: "0.4",
  },
  colormap: {
    type: "string",
    choices: COLORMAP_NAMES,
    help: "which colours",
    default: "jet",
    placeholder: "NAME",
  },
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

type Flags = FlagValues<typeof FLAGS>;

/** What is printed of one image. */
interface Result {
  /** The image's number in the data set, or the photograph's path. */
  index: number | string;
  /** The class that the label says; undefined for a photograph. */
  real: string | undefined;
  predicted: string;
  /** The class that the map explains. */
  class: string;
  logit: number;
  reconstructed: number;
  residual: number;
  minimum: number;
  maximum: number;
  constant: boolean;
  files: string[];
}

async function main(flags: Flags): Promise<void> {
  using run = await openRun(flags);
  if (!flags.json && flags.checkpoint === undefined) {
    console.log(`Checkpoint: ${shownPath(run.path)}`);
  }
  const { classes } = run.checkpoint;
  const classIndex = flags.class === undefined
    ? undefined
    : parseClass(flags.class, classes);
  const given = [...flags.image, ...flags.positional];
  assertSources(flags, given);
  const size = flags.size ?? Math.max(224, run.checkpoint.training.imageSize);
  const options = { flags, classIndex, size };
  const subjects = flags.image.length > 0
    ? await explainPhotographs(run, given, options)
    : await explainDataset(run, options);
  const folder = flags.out
    ? userPath(flags.out)
    : `${run.path.slice(0, run.path.lastIndexOf("/"))}/cam`;
  const hash = await hashOf(run.path);
  const results: Result[] = [];
  const tiles: Image[] = [];
  const labels: string[] = [];
  for (const subject of subjects) {
    const { plain, cam } = subject;
    const result = resultOf(subject, classes);
    const text = {
      Software: "gapcam",
      Class: result.class,
      Logit: String(result.logit),
      Range: `${result.minimum} to ${result.maximum}`,
      Checkpoint: `sha256 ${hash}`,
    };
    const files = [
      [`${folder}/${subject.name}-cam.png`, cam],
      [`${folder}/${subject.name}-plain.png`, plain],
    ] as const;
    for (const [path, image] of files) {
      await writeFile(path, encodePng(image, { text }));
      result.files.push(path);
    }
    results.push(result);
    if (!flags.json) print(result);
    if (subjects.length > 1) {
      tiles.push(tileOf(cam), tileOf(plain));
      labels.push(
        `ANS : ${result.class}`,
        result.real === undefined
          ? subject.name
          : `REAL : ${result.real}  ${result.index}`,
      );
    }
  }
  const sheet = tiles.length > 0 ? `${folder}/sheet.png` : undefined;
  if (sheet) {
    // Pairs stay together: an even number of columns, near a square.
    const columns = 2 * Math.ceil(Math.sqrt(tiles.length) / 2);
    await writeFile(sheet, encodePng(grid(tiles, { columns, labels })));
    if (!flags.json) console.log(shownPath(sheet));
  }
  if (flags.json) {
    console.log(JSON.stringify({
      checkpoint: run.path,
      sha256: hash,
      ...(sheet ? { sheet } : {}),
      images: results,
    }));
  }
}

function print(result: Result): void {
  const { predicted, real, index } = result;
  console.log(
    `ANS : ${predicted}  ` +
      (real === undefined ? String(index) : `REAL : ${real}  ${index}`) +
      (result.class === predicted ? "" : `  (map of ${result.class})`),
  );
  for (const file of result.files) console.log(shownPath(file));
}

function assertSources(flags: Flags, given: readonly string[]): void {
  const sources = [
    ["--index", flags.index !== undefined],
    ["--indices", flags.indices !== undefined],
    ["--image", flags.image.length > 0],
  ].filter(([, used]) => used).map(([name]) => name);
  if (sources.length > 1) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot take ${sources.join(" and ")} together: give one of them`,
    );
  }
  if (given.length > 0 && flags.image.length === 0) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot tell what ${JSON.stringify(given[0])} is: files follow --image`,
    );
  }
  if (flags["full-size"] && flags.image.length === 0) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot draw images of the data set in full size: they have the " +
        "network's; leave out --full-size, or name photographs with --image",
    );
  }
}

function resultOf(subject: Subject, classes: readonly string[]): Result {
  const { map, proof, classIndex, predicted } = subject.explanation;
  const { minimum, maximum, constant } = normaliseMap(map);
  return {
    index: subject.index,
    real: subject.label === undefined ? undefined : classes[subject.label],
    predicted: classes[predicted]!,
    class: classes[classIndex]!,
    logit: proof.logit,
    reconstructed: proof.reconstructed,
    residual: proof.residual,
    minimum,
    maximum,
    constant,
    files: [],
  };
}

/** An image whose longer side is that of a tile of the contact sheet. */
function tileOf(image: Image): Image {
  const scale = 128 / Math.max(image.height, image.width);
  return resizeBilinear(
    image,
    Math.max(1, Math.round(scale * image.height)),
    Math.max(1, Math.round(scale * image.width)),
  );
}

async function hashOf(path: string): Promise<string> {
  const bytes = await Deno.readFile(path);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(
    new Uint8Array(digest),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}

await runCommand({
  name: "cam",
  summary: "Shows where a trained network looks: writes class activation maps.",
  usage: "[FLAGS] [--image FILE...]",
  positional: true,
  flags: FLAGS,
}, main);
