/**
 * What a network computes on one device, as {@linkcode Measured}.
 *
 * @module
 */

import {
  InferenceProgram,
  Network,
  openDevice,
  sgd,
  shapesDataset,
  type StateDict,
  TrainingProgram,
} from "../../../mod.ts";
import { modelOf } from "../_described.ts";
import type { Measured } from "./_families.ts";

/** Where and how. */
export interface Setting {
  name: string;
  size: number;
  batchSize: number;
  backend: "cpu" | "cuda";
  precision: "f32" | "bf16";
  seed: number;
}

const CLASSES = 10;
/** Each network has a process, and several run at a time. */
const THREADS = 2;

/** The images and labels of the one batch. */
async function batchOf({ size, batchSize }: Setting) {
  const images = new Uint8Array(batchSize * size * size * 3);
  const shapes = shapesDataset("train", { size, length: batchSize });
  await shapes.read(Array.from(shapes.labels.keys()), images);
  return { images, labels: Int32Array.from(shapes.labels) };
}

/** By which share a batch moves the running statistics, by their names. */
function momenta({ graph }: Network): Map<string, number> {
  return new Map(
    graph.nodes.flatMap(({ name, layer }) =>
      layer.kind === "batchNorm2d"
        ? ["running_mean", "running_var"].map((one) =>
          [`${name}.${one}`, layer.momentum] as const
        )
        : []
    ),
  );
}

/**
 * What the network starts from. PyTorch's fresh weights let each convolution
 * shrink what passes; where nothing normalises, only biases would come through,
 * so that weights get He's spread there.
 */
function startOf(network: Network): StateDict {
  const fresh = network.state();
  if (momenta(network).size > 0) return fresh;
  return new Map([...fresh].map(([name, { shape, data }]) => [name, {
    shape,
    data: shape.length === 4
      ? Float32Array.from(data, (value) => value * Math.sqrt(6))
      : data,
  }]));
}

/**
 * Fresh weights with the statistics of the batch: with those of a fresh network
 * nothing but biases would reach the logits.
 */
function settled(
  { before, after }: { before: StateDict; after: StateDict },
  momentum: ReadonlyMap<string, number>,
): StateDict {
  return new Map([...before].map(([name, { shape, data }]) => {
    const share = momentum.get(name);
    if (share === undefined) return [name, { shape, data }];
    const moved = after.get(name)!.data;
    // What is left of a small variance after rounding may be below nothing.
    const least = name.endsWith("running_var") ? 1e-4 : -Infinity;
    return [name, {
      shape,
      data: Float32Array.from(
        data,
        (value, i) => Math.max(least, value + (moved[i]! - value) / share),
      ),
    }];
  }));
}

/**
 * Takes one training step of rate 1 from fresh weights, which leaves weights
 * less gradients, and then the logits with settled statistics.
 *
 * @param setting Where and how.
 * @param state For the logits; made here if left out, and given back.
 */
export async function measure(
  setting: Setting,
  state?: StateDict,
): Promise<{ measured: Measured; state: StateDict }> {
  const { name, size, batchSize, backend, precision, seed } = setting;
  const { images, labels } = await batchOf(setting);
  using device = openDevice(backend, { precision, threads: THREADS });
  using network = new Network(device, modelOf(name, { classes: CLASSES }), {
    seed,
  });
  const before = startOf(network);
  network.load(before);
  const image = { height: size, width: size, channels: 3 };
  using training = await TrainingProgram.compile(network, {
    ...{ batchSize, image, optimiser: sgd({ learningRate: 1 }) },
  });
  await training.step(images, labels);
  const after = network.state();
  const momentum = momenta(network);
  const moved = (statistics: boolean) =>
    network.parameters.filter(({ trainable }) => trainable !== statistics)
      .map(({ name }) => {
        const old = before.get(name)!.data;
        return Float32Array.from(
          after.get(name)!.data,
          (value, i) => value - old[i]!,
        );
      });
  const known = state ?? settled({ before, after }, momentum);
  network.load(known);
  using inference = await InferenceProgram.compile(network, {
    batchSize,
    image,
  });
  const logits = Float32Array.from(await inference.run(images));
  return {
    state: known,
    measured: {
      loss: [Float32Array.of(training.metrics().lastLoss)],
      statistics: moved(true),
      gradients: moved(false),
      logits: [withoutMean(logits, batchSize)],
    },
  };
}

/** What tells images apart: what all have, such as the bias, would hide the rest. */
function withoutMean(logits: Float32Array, images: number): Float32Array {
  const classes = logits.length / images;
  return logits.map((value, i) => {
    let sum = 0;
    for (let j = i % classes; j < logits.length; j += classes) {
      sum += logits[j]!;
    }
    return value - sum / images;
  });
}
