/**
 * `deno task samples`: a batch of a data set as a picture, with labels.
 *
 * @module
 */

import { classLabel } from "../src/cam/_wording.ts";
import type { Dataset } from "../src/data/dataset.ts";
import {
  DATASET_NAMES,
  datasetFolder,
  type DatasetName,
} from "../src/data/open_dataset.ts";
import { GapcamError } from "../src/error.ts";
import { encodePng } from "../src/image/encode_png.ts";
import { grid } from "../src/image/grid.ts";
import { resizeBilinear } from "../src/image/resize_bilinear.ts";
import { Random } from "../src/random.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import { parseClass, parseIndices } from "./_indices.ts";
import { imageOf, writeFile } from "./_pictures.ts";
import { listUnreadable } from "./_unreadable.ts";
import { folderOf, openSplit, unknownFolder } from "./_open_split.ts";

const FLAGS = {
  dataset: {
    type: "string",
    choices: DATASET_NAMES,
    help: "what to show",
    default: "stl10 where it is there, else fashion-mnist",
    placeholder: "NAME",
  },
  "data-dir": {
    type: "string",
    help: "folder of the data set",
    default: "data/NAME",
    placeholder: "FOLDER",
  },
  split: {
    type: "string",
    choices: ["train", "test"],
    help: "which images",
    default: "train",
    placeholder: "SPLIT",
  },
  class: {
    type: "string",
    help: "only images of this class, by name or number",
    placeholder: "CLASS",
  },
  indices: {
    type: "string",
    help: "the images of these numbers, as 3, 0-63 or 1,5,8-10",
    placeholder: "LIST",
  },
  limit: {
    type: "integer",
    min: 1,
    max: 1024,
    help: "how many images",
    default: "64",
    formerly: ["count"],
  },
  size: {
    type: "integer",
    min: 8,
    max: 1024,
    help: "height and width of an image",
    default: "96",
    placeholder: "PIXELS",
  },
  seed: { type: "integer", min: 0, help: "which ones", default: "0" },
  out: {
    type: "string",
    help: "the picture",
    default: "samples.png",
    placeholder: "FILE",
  },
} as const satisfies Record<string, Flag>;

async function main(flags: FlagValues<typeof FLAGS>): Promise<void> {
  if (flags["data-dir"] && !flags.dataset) {
    throw unknownFolder(flags["data-dir"]);
  }
  const name = flags.dataset ??
    (datasetFolder("stl10" satisfies DatasetName) ? "stl10" : "fashion-mnist");
  const dataset = await openSplit({
    name,
    ...folderOf(flags["data-dir"]),
  }, (flags.split ?? "train") as "train" | "test");
  const indices = chosenImages(dataset, flags);
  const bytes = dataset.height * dataset.width * dataset.channels;
  const pixels = new Uint8Array(indices.length * bytes);
  await dataset.read(indices, pixels);
  const size = flags.size ?? 96;
  const images = Array.from(
    indices,
    (_, i) => resizeBilinear(imageOf(dataset, pixels, i), size, size),
  );
  const labels = Array.from(indices, (index) => {
    const label = dataset.labels[index]!;
    const text = label < 0 ? "unreadable" : classLabel(dataset.classes, label);
    return `${text}\n${index}`;
  });
  const path = userPath(flags.out ?? "samples.png");
  await writeFile(path, encodePng(grid(images, { labels })));
  console.log(
    `${indices.length} images of ${name}: ${flags.out ?? "samples.png"}`,
  );
  listUnreadable(dataset);
}

/** Numbers of the images to show: those named, or some drawn by the seed. */
function chosenImages(
  dataset: Dataset,
  flags: FlagValues<typeof FLAGS>,
): ArrayLike<number> {
  const { length, labels } = dataset;
  if (flags.indices) {
    if (flags.class === undefined) return parseIndices(flags.indices, length);
    throw new GapcamError(
      "invalid-argument",
      "Cannot take --indices and --class together: the one names images, the " +
        "other draws some",
    );
  }
  const order = Uint32Array.from({ length }, (_, i) => i);
  // The order of a first epoch.
  new Random(flags.seed ?? 0, 0, 0).shuffle(order);
  const label = flags.class === undefined
    ? undefined
    : parseClass(flags.class, dataset.classes);
  const fitting = label === undefined
    ? order
    : order.filter((index) => labels[index] === label);
  if (fitting.length === 0) {
    throw new GapcamError(
      "not-found",
      `Cannot show images of class ${JSON.stringify(flags.class)}: ` +
        `${dataset.name} (${dataset.split}) has none`,
    );
  }
  const limit = flags.limit ?? Math.min(64, fitting.length);
  if (limit > fitting.length) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot show ${limit} images: there are only ${fitting.length}; use a ` +
        "smaller --limit",
    );
  }
  return fitting.subarray(0, limit);
}

await runCommand({
  name: "samples",
  summary: "Writes a batch of a data set as one picture, with labels.",
  flags: FLAGS,
}, main);
