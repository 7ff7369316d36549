import { osReason } from "../_files.ts";
import { indexOfGreatest } from "../_index_of_greatest.ts";
import { classActivationMap } from "../cam/class_activation_map.ts";
import { probabilitiesOf } from "../cam/probabilities_of.ts";
import { placeWeights } from "../cam/prove_place.ts";
import type { Dataset } from "../data/dataset.ts";
import { GapcamError } from "../error.ts";
import { type HeadWeights, headWeights } from "../explain/_head_weights.ts";
import { InferenceProgram } from "../nn/inference_program.ts";
import { Network } from "../nn/network.ts";
import type { RunEvent } from "../train/run_event.ts";
import { FILM_NAME } from "../train/run_folder.ts";
import { dropCutLine } from "../train/run_log.ts";
import type { RunMoment } from "../train/train_options.ts";
import type { TrainingConfig } from "../train/training_config.ts";
import {
  chosenImages,
  FILM_IMAGES,
  filmMap,
  pictureOf,
  shownClasses,
} from "./_film_parts.ts";
import {
  FILM_VERSION,
  type FilmedImage,
  type FilmFrame,
  type FilmTitle,
  readFilm,
} from "./film.ts";

/** Pixels that the network sees at once: memory belongs to the training. */
const PIXELS_AT_ONCE = FILM_IMAGES * 64 ** 2;

/** What maps are proved to: as the explainer's, by the device's precision. */
const TOLERANCE = { f32: 1e-4, tf32: 1e-2, bf16: 1e-2 } as const;
const PLACE_TOLERANCE = 1e-4;

/** Options of {@linkcode FilmRecorder.create}. */
export interface FilmOptions {
  /** The run's folder. */
  folder: string;
  /** Size and normalisation of images, and whether weights are averaged. */
  config: Pick<
    TrainingConfig,
    "imageSize" | "mean" | "deviation" | "loss" | "emaDecay"
  >;
}

/**
 * Films a training: eight images that it does not learn from, and after each
 * epoch the maps of the class that each is and of the class that it is held for.
 * The film is `film.jsonl` in the run's folder. It changes nothing in what is
 * learnt. Of a run that averages its weights it shows the averages, which are
 * what is kept of it.
 *
 * @example
 * ```ts
 * import { FilmRecorder, readFilm } from "@gapcam/gapcam/watch";
 * import { Network, openDevice, shapesDataset, train, trainingConfig, vgg } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
 * const config = trainingConfig({ imageSize: 16, batchSize: 20, epochs: 2 });
 * const folder = await Deno.makeTempDir();
 * using film = await FilmRecorder.create(
 *   network,
 *   shapesDataset("test", { size: 16, length: 40 }),
 *   { folder, config },
 * );
 * await train(network, shapesDataset("train", { size: 16, length: 40 }), {
 *   config, folder, onEvent: (event, moment) => film.event(event, moment),
 * });
 * // One before the first step, and one after each epoch.
 * if ((await readFilm(folder))?.frames.length !== 3) throw new Error();
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class FilmRecorder implements Disposable {
  /** What is filmed: what is trained, or one of averages. */
  readonly #network: Network;
  readonly #averages: boolean;
  readonly #program: InferenceProgram;
  readonly #pixels: Uint8Array;
  readonly #title: FilmTitle;
  readonly #path: string;
  readonly #folder: string;
  readonly #eachClass: boolean;
  #problem: string | undefined;

  private constructor(parts: {
    network: Network;
    averages: boolean;
    program: InferenceProgram;
    pixels: Uint8Array;
    title: FilmTitle;
    folder: string;
    eachClass: boolean;
  }) {
    this.#network = parts.network;
    this.#averages = parts.averages;
    this.#program = parts.program;
    this.#pixels = parts.pixels;
    this.#title = parts.title;
    this.#folder = parts.folder;
    this.#eachClass = parts.eachClass;
    this.#path = `${parts.folder}/${FILM_NAME}`;
  }

  /**
   * Chooses the images, of as many classes as there are, and compiles the
   * network for them.
   *
   * @throws {GapcamError} If the network cannot be explained, or the images do
   * not fit it.
   */
  static async create(
    network: Network,
    dataset: Dataset,
    options: FilmOptions,
  ): Promise<FilmRecorder> {
    headWeights(network);
    const { imageSize, mean, deviation, emaDecay, loss } = options.config;
    const { height, width, channels } = dataset;
    const indices = chosenImages(dataset.labels, dataset.classes.length);
    const size = height * width * channels;
    const pixels = new Uint8Array(indices.length * size);
    await dataset.read(indices, pixels);
    using stack = new DisposableStack();
    const averages = emaDecay > 0;
    const filmed = averages
      ? stack.use(
        new Network(network.device, network.model, { state: network.state() }),
      )
      : network;
    const program = await InferenceProgram.compile(filmed, {
      batchSize: Math.min(
        indices.length,
        Math.max(1, Math.floor(PIXELS_AT_ONCE / imageSize ** 2)),
      ),
      image: dataset,
      inputSize: { height: imageSize, width: imageSize },
      mean,
      deviation,
      placeWeights,
    });
    const title: FilmTitle = {
      film: FILM_VERSION,
      dataset: dataset.name,
      split: dataset.split,
      classes: [...dataset.classes],
      images: indices.map((index, i) => ({
        index,
        label: dataset.labels[index]!,
        ...(dataset.targets ? { labels: shownClasses(dataset, index) } : {}),
        picture: pictureOf({
          height,
          width,
          channels,
          data: pixels.subarray(i * size, (i + 1) * size),
        }),
      })),
    };
    stack.move();
    const { folder } = options;
    return new FilmRecorder({
      ...{ network: filmed, averages, program, pixels, title, folder },
      eachClass: loss === "binary",
    });
  }

  /** Why there is no more film, if there is none. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Takes what happens in the run: films where it begins and after each epoch.
   * What cannot be filmed or written ends the film, not the training; see
   * {@linkcode problem}.
   *
   * @param event What {@linkcode train} tells.
   * @param moment What it tells with it: the averages are asked for here.
   */
  async event(event: RunEvent, moment?: RunMoment): Promise<void> {
    if (this.#problem !== undefined) return;
    try {
      switch (event.event) {
        case "start":
          this.#begin();
          return await this.#film(0, event.step, moment);
        case "resume":
          // A film of other images, or none, begins here.
          if (!await this.#goesOn()) this.#begin();
          return;
        case "epoch":
          return await this.#film(event.epoch, event.totalSteps, moment);
      }
    } catch (error) {
      this.#problem = error instanceof GapcamError
        ? error.message
        : `Cannot write ${this.#path}: ${osReason(error)}`;
    }
  }

  /** Frees the program and averages; what is trained and the film stay. */
  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
    if (this.#averages) this.#network[Symbol.dispose]();
  }

  #begin(): void {
    Deno.writeTextFileSync(this.#path, `${JSON.stringify(this.#title)}\n`);
  }

  async #goesOn(): Promise<boolean> {
    dropCutLine(this.#path);
    const film = await readFilm(this.#folder);
    if (!film) return false;
    const { frames: _, ...title } = film;
    return JSON.stringify(title) === JSON.stringify(this.#title);
  }

  async #film(
    epoch: number,
    step: number,
    moment: RunMoment | undefined,
  ): Promise<void> {
    if (this.#averages) {
      const averages = moment?.averages();
      if (!averages) {
        throw new GapcamError(
          "invalid-argument",
          "Cannot film a run that averages its weights: found no averages, " +
            "expected the moment that train() tells with each event",
        );
      }
      this.#network.load(averages);
    }
    const head = headWeights(this.#network);
    const images: FilmedImage[] = [];
    const { batchSize } = this.#program;
    const size = this.#pixels.length / this.#title.images.length;
    while (images.length < this.#title.images.length) {
      const first = images.length;
      const pixels = this.#pixels.subarray(
        first * size,
        (first + batchSize) * size,
      );
      images.push(...await this.#filmBatch(pixels, { first, head }));
    }
    const frame: FilmFrame = { epoch, step, images };
    Deno.writeTextFileSync(this.#path, `${JSON.stringify(frame)}\n`, {
      append: true,
    });
  }

  async #filmBatch(
    pixels: Uint8Array,
    { first, head }: { first: number; head: HeadWeights },
  ): Promise<FilmedImage[]> {
    const logits = await this.#program.run(pixels);
    const { classes } = this.#program;
    const [, channels, ...places] = this.#program.featureShape!;
    const shape = [channels!, ...places];
    const size = shape.reduce((a, b) => a * b);
    const features = this.#program.features();
    const placeSums = this.#program.placeSums();
    const precision = this.#network.device.precision;
    return Array.from({ length: logits.length / classes }, (_, i) => {
      const own = logits.slice(i * classes, (i + 1) * classes);
      const probabilities = probabilitiesOf(own, {
        eachClass: this.#eachClass,
      });
      const mapOf = (classIndex: number) =>
        filmMap(
          classActivationMap({
            features: {
              shape,
              data: features.subarray(i * size, (i + 1) * size),
            },
            ...head,
            logits: own,
            placeSums: placeSums.subarray(i * channels!, (i + 1) * channels!),
          }, {
            classIndex,
            tolerance: TOLERANCE[precision],
            placeTolerance: PLACE_TOLERANCE,
          }),
          probabilities[classIndex]!,
        );
      const { label } = this.#title.images[first + i]!;
      const labelMap = mapOf(label);
      const answer = indexOfGreatest(own);
      return {
        label: labelMap,
        answer: answer === label ? labelMap : mapOf(answer),
      };
    });
  }
}
