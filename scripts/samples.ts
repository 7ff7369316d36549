/**
 * `deno task samples`: a batch of a data set as a picture, with labels.
 *
 * @module
 */

import { classLabel } from "../src/cam/_wording.ts";
import { BatchLoader } from "../src/data/batch_loader.ts";
import {
  DATASET_NAMES,
  datasetFolder,
  type DatasetName,
} from "../src/data/open_dataset.ts";
import { encodePng } from "../src/image/encode_png.ts";
import { grid } from "../src/image/grid.ts";
import { resizeBilinear } from "../src/image/resize_bilinear.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import { imageOf, writeFile } from "./_pictures.ts";
import { folderOf, openSplit } from "./_train_job.ts";

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
  const name = flags.dataset ??
    (datasetFolder("stl10" satisfies DatasetName) ? "stl10" : "fashion-mnist");
  const dataset = await openSplit({
    name,
    ...folderOf(flags["data-dir"], name),
  }, (flags.split ?? "train") as "train" | "test");
  const loader = new BatchLoader(dataset, {
    batchSize: flags.limit ?? 64,
    shuffle: true,
    seed: flags.seed ?? 0,
  });
  const size = flags.size ?? 96;
  for await (const batch of loader.epoch(0)) {
    const images = Array.from(
      { length: batch.count },
      (_, i) => resizeBilinear(imageOf(dataset, batch.images, i), size, size),
    );
    const labels = Array.from(
      { length: batch.count },
      (_, i) => classLabel(dataset.classes, batch.labels[i]!),
    );
    const path = userPath(flags.out ?? "samples.png");
    await writeFile(path, encodePng(grid(images, { labels })));
    console.log(
      `${batch.count} images of ${name}: ${flags.out ?? "samples.png"}`,
    );
    break;
  }
}

await runCommand({
  name: "samples",
  summary: "Writes a batch of a data set as one picture, with labels.",
  flags: FLAGS,
}, main);
