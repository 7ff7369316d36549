/**
 * Times training steps with random changes to the images and without, in turns:
 * how much longer a step takes because of them.
 *
 *     deno run -A scripts/bench/augmentation.ts [--device cpu] [--threads N]
 *       [--model vgg16] [--rounds 5] [--seconds 4]
 *
 * Each round trains without, then with, for so many seconds each; the ratio of a
 * round is that of its two times, and the median over rounds is what counts. The
 * time that the changes take by themselves, on one thread, is measured as well.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import {
  type Augmentation,
  BatchLoader,
  Network,
  openDevice,
  sgd,
  TrainingProgram,
  vgg,
} from "../../mod.ts";
import { augmentImages } from "../../src/data/augment/augment_images.ts";
import { MemoryDataset } from "../../src/data/_memory_dataset.ts";
import { parseModel } from "../../src/models/model_config.ts";
import { Random } from "../../src/random.ts";

/** What there is, but for what excludes another. */
const ALL: Augmentation = {
  resizedCrop: 0.35,
  randomCrop: 4,
  padding: "reflect",
  horizontalFlip: true,
  verticalFlip: true,
  trivialAugment: true,
  rotate: 15,
  translate: 0.1,
  zoom: 0.1,
  shear: 10,
  brightness: 0.4,
  contrast: 0.4,
  saturation: 0.4,
  hue: 0.1,
  erase: 0.25,
};

const SIZES = [{ batch: 128, size: 32 }, { batch: 32, size: 224 }] as const;

const { device: deviceName, threads, model, rounds, seconds } = parseArgs(
  Deno.args,
  {
    string: ["device", "threads", "model", "rounds", "seconds"],
    default: {
      device: "cpu",
      threads: "0",
      model: "vgg16",
      rounds: "5",
      seconds: "4",
    },
  },
);

/** Batches for ever, whatever the epoch. */
async function* batchesOf(loader: BatchLoader) {
  for (let epoch = 0;; epoch++) yield* loader.epoch(epoch);
}

async function compare(
  { batch, size }: { batch: number; size: number },
): Promise<void> {
  const random = new Random(1);
  const length = 8 * batch;
  const pixels = Uint8Array.from(
    { length: length * size * size * 3 },
    () => random.nextUint32() >>> 24,
  );
  const labels = Int32Array.from({ length }, (_, i) => i % 10);
  const dataset = new MemoryDataset(pixels, labels, {
    ...{ name: "noise", split: "train", height: size, width: size },
    ...{ channels: 3, classes: Array.from({ length: 10 }, (_, i) => `${i}`) },
  });
  using device = openDevice(deviceName as "cpu" | "cuda", {
    ...(Number(threads) > 0 ? { threads: Number(threads) } : {}),
  });
  using network = new Network(
    device,
    vgg(parseModel(model), { classes: 10, batchNorm: true }),
  );
  using program = await TrainingProgram.compile(network, {
    batchSize: batch,
    image: dataset,
    optimiser: sgd({ learningRate: 1e-4, momentum: 0.9 }),
  });
  const loaders = [undefined, ALL].map((augmentation) =>
    batchesOf(
      new BatchLoader(dataset, {
        ...{ batchSize: batch, shuffle: true },
        ...(augmentation ? { augmentation } : {}),
      }),
    )
  );
  /** Milliseconds a step. */
  const time = async (loader: typeof loaders[number]) => {
    const start = performance.now();
    let steps = 0;
    while (steps < 3 || performance.now() - start < 1000 * Number(seconds)) {
      const { value } = await loader.next();
      await program.step(value!.images, value!.labels);
      steps++;
    }
    program.metrics();
    return (performance.now() - start) / steps;
  };
  for (const loader of loaders) await time(loader);
  const ratios: number[] = [], plain: number[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    const found = [0, 0];
    for (const i of order) found[i] = await time(loaders[i]!);
    ratios.push(found[1]! / found[0]!);
    plain.push(found[0]!);
  }
  const images = pixels.slice(0, batch * size * size * 3);
  const indices = Array.from({ length: batch }, (_, i) => i);
  const alone = performance.now();
  for (let epoch = 0; epoch < 3; epoch++) {
    augmentImages(images, dataset, {
      ...{ augmentation: ALL, seed: 0, epoch, indices },
    });
  }
  const own = (performance.now() - alone) / 3;
  console.log(
    `batch ${batch} of ${size} x ${size}: ${median(plain).toFixed(1)} ms a ` +
      `step, with all changes ${
        (100 * (median(ratios) - 1)).toFixed(1)
      } % longer (${
        ratios.map((ratio) => (100 * (ratio - 1)).toFixed(1)).join(", ")
      }); the changes alone take ${own.toFixed(1)} ms on one thread`,
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

for (const size of SIZES) await compare(size);
