/**
 * What a network was most wrong about: which images, and where it looked.
 *
 * @module
 */

import type { Dataset } from "../src/data/dataset.ts";
import { MethodExplainer } from "../src/explain/method_explainer.ts";
import type { FloatMap } from "../src/image/float_map.ts";
import type { Image } from "../src/image/image.ts";
import { classifierOf } from "../src/nn/classifier_of.ts";
import type { ImageAnswer } from "../src/train/image_answer.ts";
import type { Confusion, Evaluation } from "../src/train/evaluation.ts";
import type { OpenRun } from "./_network.ts";
import { imageOf } from "./_pictures.ts";

/** Images of a pair of classes that is often confused, at most. */
const OF_A_PAIR = 6;

/** Images at once. */
const BATCH = 16;

/** An image with two maps: of what was answered, and of what was right. */
export interface WorstSubject {
  answer: ImageAnswer;
  image: Image;
  /** The class of the second map: the label, or the next best if that was answered. */
  other: number;
  /** On one scale, the greatest of both 1. */
  maps: readonly [FloatMap, FloatMap];
}

/** The worst of a split, and what was confused most. */
export interface Worst {
  losses: ImageAnswer[];
  confused: (Confusion & { shown: ImageAnswer[] })[];
}

/** Keeps what may be shown while a network is tested. */
export class WorstAnswers {
  readonly #most: number;
  #losses: ImageAnswer[] = [];
  readonly #wrong: ImageAnswer[] = [];

  /** @param most How many images of each kind. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Takes one image's answer. */
  add(answer: ImageAnswer): void {
    if (answer.predicted !== answer.label) this.#wrong.push(answer);
    this.#losses.push(answer);
    // Sorted now and then, so that memory does not grow with the split.
    if (this.#losses.length > 4 * this.#most + 64) this.#cut();
  }

  /** The highest losses, and of the pairs confused most often the worst images. */
  worst({ confused }: Evaluation): Worst {
    this.#cut();
    const pairs: Worst["confused"] = [];
    let room = this.#most;
    for (const pair of confused) {
      if (room === 0) break;
      const shown = this.#wrong.filter(({ label, predicted }) =>
        label === pair.label && predicted === pair.predicted
      ).sort(byLoss).slice(0, Math.min(OF_A_PAIR, room));
      room -= shown.length;
      pairs.push({ ...pair, shown });
    }
    return { losses: this.#losses, confused: pairs };
  }

  #cut(): void {
    this.#losses = this.#losses.sort(byLoss).slice(0, this.#most);
  }
}

function byLoss(a: ImageAnswer, b: ImageAnswer): number {
  // What is not a number is worst of all.
  const [first, second] = [a, b].map(({ loss }) =>
    Number.isNaN(loss) ? Infinity : loss
  );
  return first === second ? a.index - b.index : second! > first! ? 1 : -1;
}

/** Explains a network's worst answers. */
export class WorstExplainer implements Disposable {
  readonly #explainer: MethodExplainer;
  readonly #dataset: Dataset;

  private constructor(explainer: MethodExplainer, dataset: Dataset) {
    this.#explainer = explainer;
    this.#dataset = dataset;
  }

  /**
   * Compiles: CAM where a network has it, else Grad-CAM.
   *
   * @throws {GapcamError} If no map of the network can be explained.
   */
  static async create(
    run: OpenRun,
    dataset: Dataset,
  ): Promise<WorstExplainer> {
    const explainer = await MethodExplainer.create(run.network, {
      ...run.input,
      image: dataset,
      batchSize: Math.min(BATCH, dataset.length),
      method: classifierOf(run.network.graph) ? "cam" : "grad-cam",
    });
    return new WorstExplainer(explainer, dataset);
  }

  /** The name of the method, as its paper writes it. */
  get method(): string {
    return this.#explainer.method.title;
  }

  /** Explains some answers, in their order. */
  async explain(answers: readonly ImageAnswer[]): Promise<WorstSubject[]> {
    const { height, width, channels } = this.#dataset;
    const subjects: WorstSubject[] = [];
    const { batchSize } = this.#explainer;
    for (let start = 0; start < answers.length; start += batchSize) {
      const some = answers.slice(start, start + batchSize);
      const pixels = new Uint8Array(some.length * height * width * channels);
      await this.#dataset.read(some.map(({ index }) => index), pixels);
      const answered = await this.#explainer.explain(
        pixels,
        some.map(({ predicted }) => predicted),
      );
      const others = some.map(({ label, predicted }, i) =>
        label !== predicted
          ? label
          : nextBest(answered[i]!.probabilities, predicted)
      );
      const right = await this.#explainer.explain(pixels, others);
      some.forEach((answer, i) =>
        subjects.push({
          answer,
          image: imageOf(this.#dataset, pixels, i),
          other: others[i]!,
          maps: together(answered[i]!.map, right[i]!.map),
        })
      );
    }
    return subjects;
  }

  /** Frees what was compiled. */
  [Symbol.dispose](): void {
    this.#explainer[Symbol.dispose]();
  }
}

/** The likeliest class but one; that one itself where there is no other. */
function nextBest(probabilities: Float32Array, but: number): number {
  let best = but;
  probabilities.forEach((value, i) => {
    if (i === but) return;
    if (best === but || value > probabilities[best]!) best = i;
  });
  return best;
}

/** Two maps on one scale, whatever unit a method has. */
function together(
  first: FloatMap,
  second: FloatMap,
): readonly [FloatMap, FloatMap] {
  const greatest = [first, second].reduce(
    (most, { data }) => data.reduce((a, b) => Math.max(a, Math.abs(b)), most),
    0,
  );
  const scaled = (map: FloatMap) => ({
    ...map,
    data: map.data.map((value) => greatest > 0 ? value / greatest : 0),
  });
  return [scaled(first), scaled(second)];
}
