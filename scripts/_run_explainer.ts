/**
 * What a page and a report show of a run's network: maps of photographs, of
 * images that are taken for something, of its worst mistakes.
 *
 * @module
 */

import { printable } from "../src/_printable.ts";
import { GapcamError } from "../src/error.ts";
import type { SplitName } from "../src/data/dataset.ts";
import { decodeImage } from "../src/image/decode_image.ts";
import { encodePng } from "../src/image/encode_png.ts";
import type { Image } from "../src/image/image.ts";
import { evaluate } from "../src/train/evaluate.ts";
import type { ImageAnswer } from "../src/train/image_answer.ts";
import { findCheckpoint } from "../src/train/find_checkpoint.ts";
import type {
  CellChoice,
  ExplainedCell,
  ExplainedImage,
  ExplainedPhotograph,
  Explaining,
  GivenPhotograph,
  NetworkName,
} from "../src/watch/explaining.ts";
import { encodedPictures, hashOf, originOf } from "./_cam_files.ts";
import { PLAIN_LOOK } from "./_cam_job.ts";
import { lookOf, overlayOf } from "./_cam_pictures.ts";
import type { DeviceChoice } from "./_device_flags.ts";
import {
  explainDataset,
  explainPhotographs,
  type PhotographSource,
  type Subject,
} from "./_explain.ts";
import { parseClass } from "./_indices.ts";
import { openImages, type OpenRun, openRun } from "./_network.ts";
import type { NetworkChoice } from "./_network_flags.ts";
import { runsFolder } from "./_runs.ts";

/** Height and width of pictures that lie in rows. */
const SMALL = 144;

/** A network that stays loaded while its file is the same. */
interface Loaded {
  run: OpenRun;
  folder: string;
  network: NetworkName;
  /** Changes with the file. */
  stamp: string;
  hash: string;
  answers: Map<SplitName, ImageAnswer[]>;
}

/** Looks with a run's newest or best network, and keeps it for the next look. */
export class RunExplainer implements Explaining, Disposable {
  readonly #device: DeviceChoice;
  #loaded: Loaded | undefined;

  /** @param device Where to compute. */
  constructor(device: DeviceChoice) {
    this.#device = device;
  }

  async photograph(
    folder: string,
    { name, bytes, fit, explained, network }: GivenPhotograph,
  ): Promise<ExplainedPhotograph> {
    const { run, hash } = await this.#load(folder, network);
    const { classes, training } = run.checkpoint;
    const background = [255, 255, 255] as const;
    const source: PhotographSource = {
      kind: "photographs",
      files: [name],
      fit,
      background,
      fullSize: false,
      read: (path) => decodeImage(bytes, { background, source: path }),
    };
    const size = Math.max(224, training.imageSize);
    const look = lookOf(
      { look: PLAIN_LOOK, source, size: undefined },
      { classes, size },
    );
    const subjects = explainPhotographs(run, source, {
      classIndex: explained === undefined
        ? undefined
        : parseClass(explained, classes),
      size,
    });
    for await (const subject of subjects.each) {
      if ("reason" in subject) {
        throw new GapcamError("bad-data", subject.reason);
      }
      const { result, files } = encodedPictures(subject, {
        look,
        origin: originOf(hash),
      });
      return {
        checkpoint: networkText(run),
        predicted: result.predicted,
        explained: result.class,
        top: result.top,
        // Of class activation maps there is one.
        residual: result.residual!,
        png: files.get("cam")!().toBase64(),
      };
    }
    throw new Error("a photograph gave nothing");
  }

  async cell(folder: string, choice: CellChoice): Promise<ExplainedCell> {
    const { label, predicted, split, first, count } = choice;
    const loaded = await this.#load(folder, choice.network);
    const found = (await this.#answers(loaded, split))
      .filter((one) => one.label === label && one.predicted === predicted)
      .sort((a, b) => b.loss - a.loss);
    return {
      checkpoint: networkText(loaded.run),
      images: found.length,
      shown: await this.#explained(
        loaded,
        split,
        found.slice(first, first + count),
      ),
    };
  }

  /**
   * The mistakes that the network was surest of.
   *
   * @param folder The run's folder.
   * @param options Of which split, how many, and by which network.
   */
  async worst(
    folder: string,
    options: { split: SplitName; count: number; network: NetworkName },
  ): Promise<ExplainedCell> {
    const loaded = await this.#load(folder, options.network);
    // Where images show several classes an answer is not simply right or wrong.
    const several = loaded.run.checkpoint.training.loss === "binary";
    const wrong = (await this.#answers(loaded, options.split))
      .filter(({ label, predicted }) => several || label !== predicted)
      .sort((a, b) => b.loss - a.loss);
    return {
      checkpoint: networkText(loaded.run),
      images: wrong.length,
      shown: await this.#explained(
        loaded,
        options.split,
        wrong.slice(0, options.count),
      ),
    };
  }

  /** Frees the network. */
  [Symbol.dispose](): void {
    this.#loaded?.run[Symbol.dispose]();
    this.#loaded = undefined;
  }

  async #load(folder: string, network: NetworkName): Promise<Loaded> {
    const known = this.#loaded;
    // A run under way writes another checkpoint in any moment.
    if (
      known?.folder === folder && known.network === network &&
      known.stamp === stampOf(known.run.path)
    ) return known;
    this[Symbol.dispose]();
    for (let attempt = 1;; attempt++) {
      const path = findCheckpoint(folder, runsFolder(), {
        last: network === "newest",
      });
      const stamp = stampOf(path);
      using stack = new DisposableStack();
      const run = stack.use(await openRun(this.#choice(folder, network)));
      const hash = await hashOf(path);
      // What was hashed is what was loaded, unless it was replaced meanwhile.
      if (stampOf(path) !== stamp && attempt < 4) continue;
      stack.move();
      const answers = new Map();
      this.#loaded = { run, folder, network, stamp, hash, answers };
      return this.#loaded;
    }
  }

  #choice(folder: string, network: NetworkName): NetworkChoice {
    return {
      checkpoint: folder,
      last: network === "newest",
      device: this.#device,
      dataset: {},
      split: "test",
    };
  }

  /** What the network makes of a split; done once. */
  async #answers(
    { run, answers }: Loaded,
    split: SplitName,
  ): Promise<ImageAnswer[]> {
    const known = answers.get(split);
    if (known) return known;
    const { training } = run.checkpoint;
    const dataset = await openImages(
      { ...this.#choice(run.path, "newest"), split },
      run.checkpoint,
      limitOf(run, split),
    );
    const found: ImageAnswer[] = [];
    const { batchSize, testFlips } = training;
    await evaluate(run.network, dataset, {
      ...run.input,
      batchSize,
      flips: testFlips,
      onAnswer: (answer) => found.push(answer),
    });
    answers.set(split, found);
    return found;
  }

  async #explained(
    { run }: Loaded,
    split: SplitName,
    answers: readonly ImageAnswer[],
  ): Promise<ExplainedImage[]> {
    if (answers.length === 0) return [];
    const { classes } = run.checkpoint;
    const limit = limitOf(run, split);
    const source = {
      kind: "dataset" as const,
      indices: answers.map(({ index }) => index).join(","),
      ...(limit === undefined ? {} : { limit }),
    };
    const look = lookOf(
      { look: PLAIN_LOOK, source, size: SMALL },
      { classes, size: SMALL },
    );
    const subjects = await explainDataset(run, source, {
      network: { ...this.#choice(run.path, "newest"), split },
      classIndex: undefined,
      size: SMALL,
    });
    const explained: ExplainedImage[] = [];
    for await (const subject of subjects.each) {
      if (!("reason" in subject)) {
        explained.push(
          imageOf(subject, overlayOf(subject, subject.plain, look), classes),
        );
      }
    }
    // Numbers come in order; the worst is to come first.
    const place = new Map(answers.map(({ index }, i) => [index, i]));
    return explained.sort((a, b) => place.get(a.index)! - place.get(b.index)!);
  }
}

function imageOf(
  subject: Subject,
  map: Image,
  classes: readonly string[],
): ExplainedImage {
  const { predicted, probabilities } = subject.explanation;
  const label = subject.label!;
  return {
    index: Number(subject.index),
    label: classes[label]!,
    predicted: classes[predicted]!,
    probability: probabilities[predicted]!,
    labelProbability: probabilities[label]!,
    plain: encodePng(subject.plain).toBase64(),
    map: encodePng(map).toBase64(),
  };
}

/** Which network looked, in a sentence. */
function networkText({ path, checkpoint }: OpenRun): string {
  const [folder, file] = path.split("/").slice(-2);
  const { epoch, step } = checkpoint.progress;
  return `By the network of ${printable(`${folder}/${file}`)}, after epoch ` +
    `${epoch} and ${step} ${step === 1 ? "step" : "steps"}.`;
}

/** A run may be judged by part of its images. */
function limitOf(run: OpenRun, split: SplitName): number | undefined {
  const { testLimit } = run.checkpoint.dataset;
  return split === "test" ? testLimit : undefined;
}

/** Changes with the file; empty where it is gone. */
function stampOf(path: string): string {
  try {
    const { ino, mtime, size } = Deno.statSync(path);
    return JSON.stringify([ino, mtime, size]);
  } catch {
    return "";
  }
}
