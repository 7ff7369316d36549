/**
 * `deno task samples`: a batch of a data set as a picture, with labels.
 *
 * @module
 */

import { classLabel } from "../src/cam/_wording.ts";
import type { Dataset, SplitName } from "../src/data/dataset.ts";
import { datasetFolder, type DatasetName } from "../src/data/open_dataset.ts";
import { GapcamError } from "../src/error.ts";
import { encodePng } from "../src/image/encode_png.ts";
import { grid } from "../src/image/grid.ts";
import { resizeBilinear } from "../src/image/resize_bilinear.ts";
import { Random } from "../src/random.ts";
import type { DatasetConfig } from "../src/train/checkpoint.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import {
  datasetFlags,
  folderOf,
  splitFlag,
  unknownFolder,
} from "./_dataset_flags.ts";
import { parseClass, parseIndices } from "./_indices.ts";
import { imageOf, writeFile } from "./_pictures.ts";
import { listUnreadable } from "./_unreadable.ts";
import { openSplit } from "./_open_split.ts";

const FLAGS = {
  ...datasetFlags({
    help: "what to show",
    default: "stl10 where it is there, else fashion-mnist",
    folder: "data/NAME",
  }),
  split: splitFlag("train"),
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
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

/** Which images to show, and where to write them. */
interface Job {
  dataset: DatasetConfig;
  split: SplitName;
  /** Name or number of the only class to show. */
  className: string | undefined;
  /** Numbers of the images, such as `0-63`; drawn by the seed if undefined. */
  indices: string | undefined;
  limit: number | undefined;
  /** Height and width of an image. */
  size: number;
  seed: number;
  /** The picture, as it was typed. */
  out: string;
  json: boolean;
}

/**
 * The job that flags describe.
 *
 * @throws {GapcamError} If they contradict each other.
 */
function jobOf(flags: FlagValues<typeof FLAGS>): Job {
  if (flags["data-dir"] && !flags.dataset) {
    throw unknownFolder(flags["data-dir"]);
  }
  if (flags.indices && flags.class !== undefined) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot take --indices and --class together: the one names images, the " +
        "other draws some",
    );
  }
  const name = flags.dataset ??
    (datasetFolder("stl10" satisfies DatasetName) ? "stl10" : "fashion-mnist");
  return {
    dataset: { name, ...folderOf(flags["data-dir"]) },
    split: (flags.split ?? "train") as SplitName,
    className: flags.class,
    indices: flags.indices,
    limit: flags.limit,
    size: flags.size ?? 96,
    seed: flags.seed ?? 0,
    out: flags.out ?? "samples.png",
    json: flags.json,
  };
}

async function main(job: Job): Promise<void> {
  const dataset = await openSplit(job.dataset, job.split);
  const indices = chosenImages(dataset, job);
  const bytes = dataset.height * dataset.width * dataset.channels;
  const pixels = new Uint8Array(indices.length * bytes);
  await dataset.read(indices, pixels);
  const { size } = job;
  const images = Array.from(
    indices,
    (_, i) => resizeBilinear(imageOf(dataset, pixels, i), size, size),
  );
  const labels = Array.from(indices, (index) => {
    const label = dataset.labels[index]!;
    const text = label < 0 ? "unreadable" : classLabel(dataset.classes, label);
    return `${text}\n${index}`;
  });
  const path = userPath(job.out);
  await writeFile(path, encodePng(grid(images, { labels })));
  const { name } = job.dataset;
  console.log(
    job.json
      ? JSON.stringify({
        dataset: name,
        split: job.split,
        indices: Array.from(indices),
        labels: Array.from(indices, (index) => dataset.labels[index]),
        out: path,
      })
      : `${indices.length} images of ${name}: ${job.out}`,
  );
  listUnreadable(dataset);
}

/** Numbers of the images to show: those named, or some drawn by the seed. */
function chosenImages(
  dataset: Dataset,
  job: Job,
): ArrayLike<number> {
  const { length, labels } = dataset;
  if (job.indices) return parseIndices(job.indices, length);
  const order = Uint32Array.from({ length }, (_, i) => i);
  // The order of a first epoch.
  new Random(job.seed, 0, 0).shuffle(order);
  const label = job.className === undefined
    ? undefined
    : parseClass(job.className, dataset.classes);
  const fitting = label === undefined
    ? order
    : order.filter((index) => labels[index] === label);
  if (fitting.length === 0) {
    throw new GapcamError(
      "not-found",
      `Cannot show images of class ${JSON.stringify(job.className)}: ` +
        `${dataset.name} (${dataset.split}) has none`,
    );
  }
  const limit = job.limit ?? Math.min(64, fitting.length);
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
}, (flags) => main(jobOf(flags)));
