import { indexOfGreatest } from "../_index_of_greatest.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Communicator } from "../device/communicator.ts";
import { Calibration } from "./_calibration.ts";
import { type Evaluation, evaluationOf } from "./evaluation.ts";
import type { ImageAnswer } from "./image_answer.ts";
import { labelEvaluationOf } from "./label_evaluation.ts";

type Answer = Omit<ImageAnswer, "index">;

/** What comes of images of one class each. */
export class ClassCounts {
  readonly #dataset: Dataset;
  readonly #confusion: number[][];
  readonly #calibration = new Calibration();
  #loss = 0;
  #images = 0;
  #inTop5 = 0;

  constructor(dataset: Dataset) {
    const { length } = dataset.classes;
    this.#dataset = dataset;
    this.#confusion = Array.from(
      { length },
      () => new Array<number>(length).fill(0),
    );
  }

  /** Counts an image by its logits; says what the answer is. */
  count(logits: Float32Array, label: number): Answer {
    const predicted = indexOfGreatest(logits);
    const normaliser = logSumExp(logits);
    const loss = normaliser - logits[label]!;
    const probability = Math.exp(logits[predicted]! - normaliser);
    this.#images++;
    this.#confusion[label]![predicted]!++;
    this.#loss += loss;
    if (rankOf(logits, label) < 5) this.#inTop5++;
    this.#calibration.count(probability, predicted === label);
    return { label, predicted, probability, loss };
  }

  /** All that is counted. */
  get numbers(): number[] {
    return [
      ...[this.#loss, this.#images, this.#inTop5],
      ...this.#calibration.numbers,
      ...this.#confusion.flat(),
    ];
  }

  /** Takes what several counted for its own, in their order. */
  replace(all: readonly Float64Array[]): void {
    const sums = new Float64Array(all[0]!.length);
    for (const numbers of all) {
      numbers.forEach((number, i) => sums[i]! += number);
    }
    [this.#loss, this.#images, this.#inTop5] = sums as unknown as [
      number,
      number,
      number,
    ];
    const bins = this.#calibration.numbers.length;
    this.#calibration.numbers = [...sums.subarray(3, 3 + bins)];
    const classes = this.#confusion.length;
    sums.subarray(3 + bins).forEach((count, i) => {
      this.#confusion[Math.floor(i / classes)]![i % classes] = count;
    });
  }

  /** What all came to. */
  evaluation(): Evaluation {
    const { classes, name, split } = this.#dataset;
    const images = Math.max(1, this.#images);
    return evaluationOf(this.#confusion, {
      ...{ classes, dataset: name, split },
      loss: this.#loss / images,
      top5: this.#inTop5 / images,
      calibrationError: this.#calibration.error(),
    });
  }
}

/** What comes of images with several labels each. */
export class LabelCounts {
  readonly #dataset: Dataset;
  readonly #logits: number[] = [];
  readonly #targets: number[] = [];

  constructor(dataset: Dataset) {
    this.#dataset = dataset;
  }

  /** Counts an image by its logits; says which class is likeliest. */
  count(logits: Float32Array, label: number, targets?: Float32Array): Answer {
    this.#logits.push(...logits);
    this.#targets.push(...targets!);
    const { classes, name, split } = this.#dataset;
    const predicted = indexOfGreatest(logits);
    const { loss } = labelEvaluationOf(logits, targets!, {
      ...{ classes, dataset: name, split },
    });
    const probability = 1 / (1 + Math.exp(-logits[predicted]!));
    return { label, predicted, probability, loss };
  }

  /** All that is counted. */
  get numbers(): number[] {
    return [...this.#logits, ...this.#targets];
  }

  /** Takes what several counted for its own, in their order. */
  replace(all: readonly Float64Array[]): void {
    this.#logits.length = this.#targets.length = 0;
    for (const numbers of all) {
      const half = numbers.length / 2;
      for (const logit of numbers.subarray(0, half)) this.#logits.push(logit);
      for (const target of numbers.subarray(half)) this.#targets.push(target);
    }
  }

  /** What all came to. */
  evaluation(): Evaluation {
    const { classes, name, split } = this.#dataset;
    return labelEvaluationOf(this.#logits, this.#targets, {
      ...{ classes, dataset: name, split },
    });
  }
}

/**
 * Gives every rank what all of them counted, and whether one of them stopped
 * before its end.
 */
export async function gatherCounts(
  counts: ClassCounts | LabelCounts,
  communicator: Communicator,
  stopped: boolean,
): Promise<boolean> {
  const all = await communicator.gatherLists(
    Float64Array.from([Number(stopped), ...counts.numbers]),
  );
  counts.replace(all.map((numbers) => numbers.subarray(1)));
  return all.some(([wish]) => wish !== 0);
}

/** How many logits come before a class's own; those of one size by number. */
function rankOf(logits: Float32Array, label: number): number {
  const own = logits[label]!;
  let rank = 0;
  for (let i = 0; i < logits.length; i++) {
    // What is not a number comes before all that is.
    if (!(logits[i]! <= own) || (logits[i] === own && i < label)) rank++;
  }
  return rank;
}

function logSumExp(logits: Float32Array): number {
  const greatest = logits[indexOfGreatest(logits)]!;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - greatest);
  return Math.log(sum) + greatest;
}
