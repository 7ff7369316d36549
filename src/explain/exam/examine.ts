import { definedOf } from "../../_defined_of.ts";
import { checkDataset } from "../../data/check_dataset.ts";
import type { Dataset } from "../../data/dataset.ts";
import { GapcamError } from "../../error.ts";
import type { ImageOptions, Network } from "../../nn/network.ts";
import type { Exam } from "./exam.ts";
import type { OpenedMethod } from "./exam_method.ts";
import {
  type ExamineChoice,
  examineChoice,
  type ExamineOptions,
} from "./examine_options.ts";
import { Examiner } from "./_examiner.ts";
import { classesOf } from "../target.ts";
import { ProbeProgram } from "./_probe_program.ts";

/**
 * Examines methods of explanation on the same images of a data set: how
 * faithful their maps are to what the network does (insertion, deletion, ROAD,
 * average drop and increase), whether they point where the class lies (pointing
 * game, boxes), whether they show what was learned at all (randomisation), how
 * alike they are, and what they cost.
 *
 * Faithfulness is measured of the map of each image's answer; pointing of the
 * map of each class whose place in the image is known.
 *
 * @param network A trained network.
 * @param dataset The images; with `boxes`, or `mosaicOf()` others, for pointing.
 * @param options Methods, measures, and how images are prepared: the same as
 * while training.
 * @returns Means over all maps, plain data.
 * @throws {GapcamError} If the images do not fit the network, a method cannot
 * explain it, a box is not within its image, or an option is out of range.
 *
 * @example Is the centre where the shapes are?
 * ```ts
 * import {
 *   CONTROL_METHODS, examine, Network, openDevice, shapesDataset, vgg,
 * } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
 * const shapes = shapesDataset("test", { size: 16, length: 20 });
 * const exam = await examine(network, shapes, {
 *   methods: CONTROL_METHODS, measures: ["pointing"],
 * });
 * const [random, centre] = exam.methods.map(({ scores }) => scores.pointing!.mean);
 * if (!(centre! > random!)) throw new Error();
 * ```
 */
export async function examine(
  network: Network,
  dataset: Dataset,
  options: ExamineOptions,
): Promise<Exam> {
  checkDataset(dataset);
  const choice = examineChoice(dataset, options);
  const images: ImageOptions = {
    batchSize: choice.batchSize,
    image: dataset,
    ...definedOf({
      inputSize: options.inputSize,
      mean: options.mean,
      deviation: options.deviation,
    }),
  };
  using stack = new DisposableStack();
  const program = stack.use(await ProbeProgram.compile(network, images));
  if (classesOf(program.outputs) !== dataset.classes.length) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot examine methods on ${dataset.name}: it has ` +
        `${dataset.classes.length} classes, the network ${
          classesOf(program.outputs)
        }`,
    );
  }
  const { opened, refused } = await openAll(network, { choice, images, stack });
  const examiner = new Examiner({
    program,
    dataset,
    choice,
    opened,
    options,
  });
  await examineImages(examiner, { dataset, choice, options });
  if (choice.measures.has("randomisation")) {
    await examiner.randomise(network, images);
  }
  options.onProgress?.(1);
  return {
    dataset: dataset.name,
    split: dataset.split,
    measures: [...choice.measures],
    refused,
    ...examiner.result(),
  };
}

async function openAll(
  network: Network,
  { choice, images, stack }: {
    choice: ExamineChoice;
    images: ImageOptions;
    stack: DisposableStack;
  },
): Promise<{ opened: OpenedMethod[]; refused: Exam["refused"] }> {
  const opened: OpenedMethod[] = [];
  const refused: { method: string; reason: string }[] = [];
  for (const method of choice.methods) {
    try {
      const source = stack.use(await method.open(network, images));
      opened.push({ method, source });
    } catch (error) {
      const isOfNetwork = error instanceof GapcamError &&
        (error.code === "unsupported" || error.code === "invalid-argument");
      if (!choice.leaveOut || !isOfNetwork) throw error;
      refused.push({ method: method.name, reason: error.message });
    }
  }
  return { opened, refused };
}

/** Goes through the images, batch by batch. */
async function examineImages(
  examiner: Examiner,
  { dataset, choice, options }: {
    dataset: Dataset;
    choice: ExamineChoice;
    options: ExamineOptions;
  },
): Promise<void> {
  const { height, width, channels } = dataset;
  const bytes = height * width * channels;
  for (let start = 0; start < choice.images; start += choice.batchSize) {
    options.signal?.throwIfAborted();
    const count = Math.min(choice.batchSize, choice.images - start);
    const all = Array.from({ length: count }, (_, i) => start + i);
    const read = new Uint8Array(count * bytes);
    await dataset.read(all, read);
    // An image that could not be read has lost its label.
    const indices = all.filter((index) => dataset.labels[index]! >= 0);
    if (indices.length === 0) continue;
    const pixels = new Uint8Array(indices.length * bytes);
    indices.forEach((index, i) => {
      const from = (index - start) * bytes;
      pixels.set(read.subarray(from, from + bytes), i * bytes);
    });
    await examiner.examine(indices, pixels);
  }
}
