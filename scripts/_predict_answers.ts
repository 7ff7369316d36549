/**
 * What `deno task predict` asks the network: its answers alone, or with maps.
 *
 * @module
 */

import { topClasses } from "../src/cam/_wording.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { predict } from "../src/predict/predict.ts";
import { hashOf, writePictures } from "./_cam_files.ts";
import { lookOf, suffixesOf } from "./_cam_pictures.ts";
import { userPath } from "./_command.ts";
import {
  explainDataset,
  explainPhotographs,
  type Failure,
} from "./_explain.ts";
import type { NetworkFlags, OpenRun } from "./_network.ts";
import type { Answer } from "./_prediction_table.ts";

/** What is looked at: files, or a data set. */
export type Source = { files: string[]; dataset?: never } | {
  files?: never;
  dataset: Dataset;
};

/** Which answers are wanted. */
export interface AnswerFlags extends NetworkFlags {
  limit: number | undefined;
  fit: string | undefined;
  cam: boolean;
  out: string | undefined;
  "batch-size": number | undefined;
}

/** Where the pictures of `--cam` go. */
export function picturesFolder(flags: AnswerFlags, run: OpenRun): string {
  return flags.out
    ? userPath(flags.out)
    : `${run.path.slice(0, run.path.lastIndexOf("/"))}/cam`;
}

interface AnswerOptions {
  flags: AnswerFlags;
  top: number;
  signal: AbortSignal;
}

/** What the network says of each image, in order, or why it was not read. */
export async function* answersOf(
  run: OpenRun,
  source: Source,
  { flags, top, signal }: AnswerOptions,
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
  if (flags.cam) {
    for await (const one of explained(run, source, flags)) {
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
  const fit = (flags.fit ?? "crop") as "crop" | "stretch";
  for await (
    const one of predict(run.network, source.files ?? source.dataset!, {
      preprocessing: training,
      top,
      fit,
      signal,
      ...(flags["batch-size"] ? { batchSize: flags["batch-size"] } : {}),
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
async function* explained(run: OpenRun, source: Source, flags: AnswerFlags) {
  const { classes, training } = run.checkpoint;
  const size = Math.max(224, training.imageSize);
  const looks = {
    ...{ style: undefined, signed: false, alpha: undefined },
    ...{ colormap: undefined, "full-size": false, size: undefined },
    ...{ fit: flags.fit, class: undefined },
  };
  const classIndex = undefined;
  const pictures = {
    folder: picturesFolder(flags, run),
    look: lookOf(looks, { classes, size }),
    suffixes: suffixesOf(looks, { classes, classIndex }),
    origin: {
      Software: "gapcam",
      Checkpoint: `sha256 ${await hashOf(run.path)}`,
    },
    raw: false,
  };
  const options = {
    flags: { ...flags, ...looks, index: undefined, indices: undefined },
    all: { limit: flags.limit },
    classIndex,
    size,
  };
  const { each } = source.files
    ? explainPhotographs(run, source.files, options)
    : await explainDataset(run, options);
  for await (const subject of each) {
    if ("reason" in subject) yield subject;
    else {
      const { files } = await writePictures(subject, pictures);
      yield { subject, files };
    }
  }
}
