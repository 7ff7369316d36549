import { indexOfGreatest } from "../../_index_of_greatest.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { FloatMap } from "../../image/float_map.ts";
import { resizeMap } from "../../image/resize_map.ts";
import { type ImageOptions, Network } from "../../nn/network.ts";
import { Agreement } from "./_agreement.ts";
import { boxOverlap } from "./box_overlap.ts";
import { assertFinite, compareMaps } from "./_maps.ts";
import type { Exam } from "./exam.ts";
import type { MapSource, OpenedMethod } from "./exam_method.ts";
import type { ExamineChoice, ExamineOptions } from "./examine_options.ts";
import { pixelsOf, type Question, questionsOf } from "./_questions.ts";
import { faithfulnessOf } from "./_faithfulness.ts";
import type { MeasureName } from "./measures.ts";
import { MethodRecord } from "./_method_record.ts";
import { pointingGame } from "./pointing_game.ts";
import type { Probe } from "./probe.ts";
import type { ProbeProgram } from "./_probe_program.ts";
import { classProbabilities } from "../target.ts";
import { randomisedStates } from "./randomised_states.ts";

/** One batch's maps of the answers, as they were before anything was random. */
interface Remembered {
  pixels: Uint8Array;
  targets: number[];
  /** Of each method. */
  maps: FloatMap[][];
}

/** Sits with methods through an exam, batch by batch. */
export class Examiner {
  readonly #program: ProbeProgram;
  readonly #dataset: Dataset;
  readonly #choice: ExamineChoice;
  readonly #options: ExamineOptions;
  readonly #opened: readonly OpenedMethod[];
  readonly #records: readonly MethodRecord[];
  readonly #agreement: Agreement;
  readonly #remembered: Remembered[] = [];
  #images = 0;
  #right = 0;
  #boxes = 0;
  #steps = 0;

  /** @param parts Programs and methods that are ready; whoever made them frees them. */
  constructor(parts: {
    program: ProbeProgram;
    dataset: Dataset;
    choice: ExamineChoice;
    options: ExamineOptions;
    opened: readonly OpenedMethod[];
  }) {
    this.#program = parts.program;
    this.#dataset = parts.dataset;
    this.#choice = parts.choice;
    this.#options = parts.options;
    this.#opened = parts.opened;
    this.#records = parts.opened.map(() => new MethodRecord());
    this.#agreement = new Agreement(parts.opened.length);
  }

  /**
   * Examines a batch.
   *
   * @param indices Numbers of its images.
   * @param pixels u8 NHWC.
   */
  async examine(
    indices: readonly number[],
    pixels: Uint8Array,
  ): Promise<void> {
    const dataset = this.#dataset;
    const { inputs, logits } = await this.#program.prepare(pixels);
    const { outputs } = this.#program;
    const rows = indices.map((_, i) =>
      classProbabilities(logits.subarray(i * outputs, (i + 1) * outputs))
    );
    const answers = rows.map(indexOfGreatest);
    const questions = questionsOf(answers, {
      indices,
      dataset: this.#measures("pointing", "box") ? dataset : undefined,
    });
    const bytes = pixels.length / indices.length;
    const asked = pixelsOf(pixels, questions, bytes);
    const targets = questions.map(({ classIndex }) => classIndex);
    const all: FloatMap[][] = [];
    for (const [m, { method, source }] of this.#opened.entries()) {
      const maps = await this.#mapsOf(source, asked, targets, this.#records[m]);
      maps.forEach((map, q) =>
        assertFinite(map, {
          method: method.name,
          image: indices[questions[q]!.image]!,
          dataset,
        })
      );
      all.push(maps);
      questions.forEach((question, q) => this.#point(m, question, maps[q]!));
      await this.#measureFaithfulness(m, {
        indices,
        inputs,
        rows,
        questions,
        maps,
      });
      this.#step(indices.length);
    }
    if (this.#measures("agreement")) {
      questions.forEach(({ answer }, q) => {
        if (answer) this.#agreement.add(all.map((maps) => maps[q]!));
      });
    }
    this.#remember(questions, asked, all);
    this.#images += indices.length;
    this.#right +=
      indices.filter((index, i) => dataset.labels[index] === answers[i]).length;
    this.#boxes += questions.filter(({ boxes }) => boxes.length > 0).length;
    for (const [i, index] of indices.entries()) {
      const explained = questions.flatMap(({ image, classIndex, boxes }, q) =>
        image === i
          ? [{ classIndex, boxes, maps: all.map((maps) => maps[q]!) }]
          : []
      );
      await this.#options.onImage?.({
        index,
        label: dataset.labels[index]!,
        predicted: answers[i]!,
        probability: rows[i]![answers[i]!]!,
        pixels: pixels.slice(i * bytes, (i + 1) * bytes),
        explained,
      });
    }
  }

  /** Compares the first maps with those of networks with random layers. */
  async randomise(network: Network, images: ImageOptions): Promise<void> {
    const { seed, stages } = this.#choice;
    for (
      const { layers, state } of randomisedStates(network, { stages, seed })
    ) {
      using other = new Network(network.device, network.model, { state });
      for (const [m, { method }] of this.#opened.entries()) {
        using source = await method.open(other, images);
        for (const { pixels, targets, maps } of this.#remembered) {
          const found = await this.#mapsOf(source, pixels, targets);
          found.forEach((map, i) =>
            this.#records[m]!.addStage(
              layers,
              map.data.every(Number.isFinite)
                ? compareMaps(map, maps[m]![i]!)
                : 0,
            )
          );
        }
        this.#step(Math.min(this.#choice.randomisedImages, this.#images));
      }
    }
  }

  /** What came of it. */
  result(): Pick<
    Exam,
    "images" | "right" | "boxes" | "methods" | "agreement"
  > {
    const names = this.#opened.map(({ method }) => method.name);
    return {
      images: this.#images,
      right: this.#right,
      boxes: this.#boxes,
      methods: names.map((name, m) => this.#records[m]!.result(name)),
      ...(this.#measures("agreement")
        ? { agreement: this.#agreement.matrix() }
        : {}),
    };
  }

  #measures(...names: MeasureName[]): boolean {
    return names.some((name) => this.#choice.measures.has(name));
  }

  async #mapsOf(
    source: MapSource,
    pixels: Uint8Array,
    targets: readonly number[],
    record?: MethodRecord,
  ): Promise<FloatMap[]> {
    const { batchSize } = this.#choice;
    const bytes = pixels.length / targets.length;
    const maps: FloatMap[] = [];
    for (let start = 0; start < targets.length; start += batchSize) {
      this.#options.signal?.throwIfAborted();
      const some = targets.slice(start, start + batchSize);
      const from = performance.now();
      maps.push(
        ...await source.maps(
          pixels.subarray(start * bytes, (start + some.length) * bytes),
          some,
        ),
      );
      if (this.#measures("time")) {
        record?.addTime((performance.now() - from) / 1000, some.length);
      }
    }
    return maps;
  }

  /** Whether a map points where its class is. */
  #point(m: number, { boxes, others }: Question, map: FloatMap): void {
    if (boxes.length === 0) return;
    const record = this.#records[m]!;
    const { height, width } = this.#dataset;
    if (this.#measures("pointing")) {
      const sized = resizeMap(map, height, width);
      const { hit, inside, chosen } = pointingGame(sized, boxes, {
        tolerance: this.#choice.tolerance,
        others,
      });
      record.add("pointing", hit ? 1 : 0);
      if (chosen !== undefined) record.add("which", chosen ? 1 : 0);
      record.add("inside", inside);
    }
    if (this.#measures("box")) {
      const overlap = boxOverlap(map, boxes, { height, width });
      record.add("box", overlap);
      record.add("box-half", overlap >= 0.5 ? 1 : 0);
    }
  }

  async #measureFaithfulness(
    m: number,
    { indices, inputs, rows, questions, maps }: {
      indices: readonly number[];
      inputs: Float32Array;
      rows: readonly Float32Array[];
      questions: readonly Question[];
      maps: readonly FloatMap[];
    },
  ): Promise<void> {
    const [, height, width] = this.#program.shape;
    const size = this.#program.shape.reduce((a, b) => a * b);
    const probes: Probe[] = [];
    const finish: ((scores: Float64Array) => void)[] = [];
    questions.forEach(({ image, classIndex, answer }, q) => {
      if (!answer) return;
      const probed = faithfulnessOf({
        input: inputs.subarray(image * size, (image + 1) * size),
        map: resizeMap(maps[q]!, height, width),
        classIndex,
        probability: rows[image]![classIndex]!,
      }, { choice: this.#choice, index: indices[image]! });
      const from = probes.length;
      probes.push(...probed.probes);
      const to = probes.length;
      finish.push((scores) =>
        probed.result(scores.subarray(from, to)).addTo(this.#records[m]!)
      );
    });
    const scores = await this.#program.scores(probes, {
      signal: this.#options.signal,
    });
    for (const done of finish) done(scores);
  }

  #remember(
    questions: readonly Question[],
    asked: Uint8Array,
    all: readonly FloatMap[][],
  ): void {
    if (!this.#measures("randomisation")) return;
    const room = this.#choice.randomisedImages -
      this.#remembered.reduce((sum, { targets }) => sum + targets.length, 0);
    const kept = questions.flatMap(({ answer }, q) => answer ? [q] : [])
      .slice(0, room);
    if (kept.length === 0) return;
    const bytes = asked.length / questions.length;
    const own = kept.map((q) => ({ ...questions[q]!, image: q }));
    this.#remembered.push({
      pixels: pixelsOf(asked, own, bytes),
      targets: own.map(({ classIndex }) => classIndex),
      maps: all.map((maps) => kept.map((q) => maps[q]!)),
    });
  }

  /** Some images of one method are done. */
  #step(images: number): void {
    this.#steps += images;
    const { stages, randomisedImages } = this.#choice;
    const again = this.#measures("randomisation")
      ? stages * Math.min(randomisedImages, this.#choice.images)
      : 0;
    const all = this.#opened.length * (this.#choice.images + again);
    this.#options.onProgress?.(Math.min(1, this.#steps / all));
  }
}
