/**
 * `deno task cam`: where a trained network looks.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import { normaliseMap } from "../src/cam/normalise_map.ts";
import { overlayCam } from "../src/cam/overlay_cam.ts";
import { Explainer, type Explanation } from "../src/explain/explainer.ts";
import { COLORMAP_NAMES, type ColormapName } from "../src/image/colormap.ts";
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
import { parseClass, parseIndices } from "./_indices.ts";
import {
  NETWORK_FLAGS,
  openImages,
  type OpenRun,
  openRun,
} from "./_network.ts";
import { imageOf, writeFile } from "./_pictures.ts";
import { shownPath } from "./_runs.ts";

const FLAGS = {
  index: { type: "integer", min: 0, help: "one image of the data set; 3" },
  indices: {
    type: "string",
    help: "several images, such as 0-63 or 1,5,8-10",
    placeholder: "LIST",
  },
  class: {
    type: "string",
    help:
      "the class to explain, by name or number; the predicted one if left out",
    placeholder: "CLASS",
  },
  ...NETWORK_FLAGS,
  out: {
    type: "string",
    help: "folder of the pictures; cam in the run's folder",
    placeholder: "FOLDER",
  },
  size: {
    type: "integer",
    min: 8,
    max: 4096,
    help: "height and width of a picture; the network's, at least 224",
    placeholder: "PIXELS",
  },
  alpha: {
    type: "number",
    min: 0,
    max: 1,
    help: "share of the colours in the overlay; 0.4",
  },
  colormap: {
    type: "string",
    choices: COLORMAP_NAMES,
    help: "which colours; jet",
    placeholder: "NAME",
  },
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

type Flags = FlagValues<typeof FLAGS>;

/** One image and what it is said to be. */
interface Subject {
  /** What its files are called. */
  name: string;
  /** Its number in the data set. */
  index: number;
  /** The class that its label says. */
  label: number;
  image: Image;
  explanation: Explanation;
}

/** What is printed of one image. */
interface Result {
  index: number;
  real: string;
  predicted: string;
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
  const { classes } = run.checkpoint;
  const classIndex = flags.class === undefined
    ? undefined
    : parseClass(flags.class, classes);
  const subjects = await explainImages(run, flags, classIndex);
  const folder = flags.out
    ? userPath(flags.out)
    : `${run.path.slice(0, run.path.lastIndexOf("/"))}/cam`;
  const hash = await hashOf(run.path);
  const size = flags.size ?? Math.max(224, run.checkpoint.training.imageSize);
  const results: Result[] = [];
  const tiles: Image[] = [];
  const labels: string[] = [];
  for (const subject of subjects) {
    const { plain, cam, result } = draw(subject, { flags, classes, size });
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
      const side = Math.min(size, 128);
      tiles.push(
        resizeBilinear(cam, side, side),
        resizeBilinear(plain, side, side),
      );
      labels.push(
        `ANS : ${result.class}`,
        `REAL : ${result.real}  ${result.index}`,
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
  console.log(
    `ANS : ${result.predicted}  REAL : ${result.real}  ${result.index}` +
      (result.class === result.predicted ? "" : `  (map of ${result.class})`),
  );
  for (const file of result.files) console.log(shownPath(file));
}

/** Runs the network over the images of the data set that flags name. */
async function explainImages(
  run: OpenRun,
  flags: Flags,
  classIndex: number | undefined,
): Promise<Subject[]> {
  if (flags.index !== undefined && flags.indices !== undefined) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot take both --index and --indices: give one of them",
    );
  }
  const dataset = await openImages(flags, run.checkpoint);
  const indices = parseIndices(
    flags.indices ?? String(flags.index ?? 3),
    dataset.length,
  );
  const batchSize = Math.min(indices.length, 16);
  using explainer = await Explainer.create(run.network, {
    ...run.input,
    batchSize,
    image: dataset,
  });
  const subjects: Subject[] = [];
  const imageBytes = dataset.height * dataset.width * dataset.channels;
  for (let start = 0; start < indices.length; start += batchSize) {
    const some = indices.slice(start, start + batchSize);
    const pixels = new Uint8Array(batchSize * imageBytes);
    await dataset.read(some, pixels);
    const explanations = await explainer.explain(pixels, {
      count: some.length,
      ...(classIndex === undefined ? {} : { classIndex }),
    });
    explanations.forEach((explanation, i) =>
      subjects.push({
        name: String(some[i]),
        index: some[i]!,
        label: dataset.labels[some[i]!]!,
        image: imageOf(dataset, pixels, i),
        explanation,
      })
    );
  }
  return subjects;
}

function draw(
  subject: Subject,
  options: { flags: Flags; classes: readonly string[]; size: number },
): { plain: Image; cam: Image; result: Result } {
  const { flags, classes, size } = options;
  const { map, proof, classIndex, predicted } = subject.explanation;
  const plain = resizeBilinear(subject.image, size, size);
  const cam = overlayCam(plain, map, {
    alpha: flags.alpha ?? 0.4,
    colormap: (flags.colormap ?? "jet") as ColormapName,
  });
  const { minimum, maximum, constant } = normaliseMap(map);
  return {
    plain,
    cam,
    result: {
      index: subject.index,
      real: classes[subject.label]!,
      predicted: classes[predicted]!,
      class: classes[classIndex]!,
      logit: proof.logit,
      reconstructed: proof.reconstructed,
      residual: proof.residual,
      minimum,
      maximum,
      constant,
      files: [],
    },
  };
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
  flags: FLAGS,
}, main);
