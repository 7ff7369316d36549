/**
 * What `deno task predict` asks the network: its answers alone, or with maps.
 *
 * @module
 */

import { topClasses } from "../src/cam/_wording.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { predict } from "../src/predict/predict.ts";
import { PLAIN_LOOK } from "./_cam_job.ts";
import { hashOf, writePictures } from "./_cam_files.ts";
import { lookOf, type PictureJob, suffixesOf } from "./_cam_pictures.ts";
import {
  type DatasetSource,
  explainDataset,
  explainPhotographs,
  type Failure,
  type PhotographSource,
} from "./_explain.ts";
import type { OpenRun } from "./_network.ts";
import type { PredictJob } from "./_predict_job.ts";
import type { Answer } from "./_prediction_table.ts";

/** What is looked at: files, or a data set. */
export type Source = { files: readonly string[]; dataset?: never } | {
  files?: never;
  dataset: Dataset;
};

/** Where the pictures of maps go. */
export function picturesFolder(
  { out }: Pick<PredictJob, "out">,
  run: OpenRun,
): string {
  return out ?? `${run.path.slice(0, run.path.lastIndexOf("/"))}/cam`;
}

interface AnswerOptions {
  job: PredictJob;
  top: number;
  signal: AbortSignal;
}

/** What the network says of each image, in order, or why it was not read. */
export async function* answersOf(
  run: OpenRun,
  source: Source,
  { job, top, signal }: AnswerOptions,
): AsyncGenerator<Answer | Failure> {
  const { classes, training } = run.checkpoint;
  const named = (list: readonly { index: number; probability: number }[]) =>
    list.map(({ index, probability }) => ({
      index,
      class: classes[index]!,
      probability,
    }));
  const labelOf = (label: number | undefined) =>
    label === undefined ? {} : { label: classes[label]! };
  if (job.cam) {
    for await (const one of explained(run, source, job)) {
      signal.throwIfAborted();
      if ("reason" in one) {
        yield one;
        continue;
      }
      const { subject, files } = one;
      yield {
        image: subject.index,
        ...labelOf(subject.label),
        top: named(topClasses(subject.explanation.probabilities, top)),
        files,
      };
    }
    return;
  }
  const { shown, batchSize } = job;
  for await (
    const one of predict(run.network, source.files ?? source.dataset!, {
      preprocessing: training,
      ...{ top, eachClass: training.loss === "binary" },
      ...shown,
      signal,
      ...(batchSize ? { batchSize } : {}),
    })
  ) {
    if ("reason" in one) yield { index: one.image, reason: one.reason };
    else {
      const { image, label } = one;
      yield { image, ...labelOf(label), top: named(one.top) };
    }
  }
}

/** Explains each image as `deno task cam` does, and writes its pictures. */
async function* explained(run: OpenRun, source: Source, job: PredictJob) {
  const { classes, training } = run.checkpoint;
  const size = Math.max(224, training.imageSize);
  const classIndex = undefined;
  const chosen: DatasetSource | PhotographSource = source.files
    ? {
      kind: "photographs",
      files: source.files,
      ...job.shown,
      fullSize: false,
    }
    : {
      kind: "dataset",
      ...(job.limit === undefined ? {} : { limit: job.limit }),
    };
  const drawn: PictureJob = {
    source: chosen,
    size: undefined,
    look: PLAIN_LOOK,
  };
  const pictures = {
    folder: picturesFolder(job, run),
    look: lookOf(drawn, { classes, size }),
    suffixes: suffixesOf(drawn, { classes, classIndex }),
    origin: {
      Software: "gapcam",
      Checkpoint: `sha256 ${await hashOf(run.path)}`,
    },
    raw: false,
  };
  const { each } = chosen.kind === "photographs"
    ? explainPhotographs(run, chosen, { classIndex, size })
    : await explainDataset(run, chosen, {
      network: job.network,
      classIndex,
      size,
    });
  for await (const subject of each) {
    if ("reason" in subject) yield subject;
    else {
      const { files } = await writePictures(subject, pictures);
      yield { subject, files };
    }
  }
}
