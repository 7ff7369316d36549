import { assert, assertLess } from "@std/assert";
import { openTestDevice } from "../device/_test_device.ts";
import { InferenceProgram } from "../../src/nn/inference_program.ts";
import { Network } from "../../src/nn/network.ts";
import { TrainingProgram } from "../../src/nn/training_program.ts";
import { adam, adamW, type Optimiser, sgd } from "../../src/nn/optimiser.ts";
import {
  cosineRate,
  oneCycleRate,
  stepRate,
  warmUpRate,
} from "../../src/nn/schedule.ts";
import type { TrainingOptions } from "../../src/nn/training_options.ts";
import { WeightAverage } from "../../src/train/_weight_average.ts";
import { readSafetensors } from "../../src/weights/read_safetensors.ts";
import {
  type StoredTensor,
  toHostTensor,
} from "../../src/weights/stored_tensor.ts";
import { labels, relativeError } from "./_hashed.ts";
import {
  SMALL_BATCH_SIZE,
  SMALL_IMAGE,
  smallBatch,
  smallModel,
  smallState,
} from "./_small_network.ts";

const STEPS = 10;
const TOLERANCE = 5e-5;
const { tensors } = await readSafetensors(
  new URL("../fixtures/nn/small.safetensors", import.meta.url).pathname,
);

interface Case extends Partial<TrainingOptions> {
  optimiser: Optimiser;
  batchNorm?: boolean;
  rate?: (step: number) => number;
  /** Of parameters, relative; {@linkcode TOLERANCE} where there is none. */
  tolerance?: number;
  /** What a step takes in place of labels. */
  targetsAt?: (step: number) => Float32Array;
  /** Of an average of the weights, which is compared too. */
  emaDecay?: number;
  /** The case of the fixture, where it has another name. */
  as?: string;
}

const CLASSES = 5;

/** Seven tenths of a label, three of another. */
function mixed(step: number): Float32Array {
  const targets = new Float32Array(SMALL_BATCH_SIZE * CLASSES);
  for (const [seed, share] of [[3000, 0.7], [4000, 0.3]] as const) {
    labels(SMALL_BATCH_SIZE, CLASSES, seed + step).forEach((label, i) =>
      targets[i * CLASSES + label]! += share
    );
  }
  return targets;
}

function binary(step: number): Float32Array {
  return Float32Array.from(
    labels(SMALL_BATCH_SIZE * CLASSES, 2, 5000 + step),
  );
}

const plain = sgd({ learningRate: 0.1 });
const nesterov = sgd({
  learningRate: 0.1,
  momentum: 0.9,
  nesterov: true,
  weightDecay: 0.01,
});
const classWeights = [0.5, 1, 2, 0, 1.5];
const headFaster: Partial<TrainingOptions> = {
  groups: [{ prefix: "classifier", factor: 10 }],
  weightDecayOn: "weights",
};

// By the names of scripts/fixtures/nn_small.py.
const CASES: Record<string, Case> = {
  adam: { optimiser: adam({ learningRate: 1e-2 }) },
  adam_decay: {
    // One weight's gradients all but cancel, and Adam divides what rounding
    // leaves of them by their own size: by instruction set the norm of all
    // differences, that weight's, is 6e-6, 5e-5 or 1e-4.
    tolerance: 5e-4,
    optimiser: adam({
      learningRate: 1e-2,
      beta1: 0.8,
      beta2: 0.99,
      epsilon: 1e-6,
      weightDecay: 0.1,
    }),
  },
  adamw: { optimiser: adamW({ learningRate: 1e-2, weightDecay: 0.1 }) },
  sgd: { optimiser: plain },
  sgd_momentum: {
    optimiser: sgd({
      learningRate: 0.1,
      momentum: 0.9,
      dampening: 0.3,
      weightDecay: 0.01,
    }),
  },
  sgd_nesterov: {
    optimiser: sgd({
      learningRate: 0.1,
      momentum: 0.9,
      nesterov: true,
      weightDecay: 0.01,
    }),
  },
  smoothing: { optimiser: plain, labelSmoothing: 0.1 },
  batch_norm: { optimiser: plain, batchNorm: true },
  step: {
    optimiser: plain,
    rate: (step) => stepRate(0.1, step, { size: 3, gamma: 0.5 }),
  },
  cosine: {
    optimiser: plain,
    rate: (step) => cosineRate(0.1, step, { ticks: 9, minimum: 0.01 }),
  },
  one_cycle: {
    optimiser: plain,
    rate: (step) => oneCycleRate(0.1, step, { ticks: STEPS }),
  },
  warm_up: {
    optimiser: plain,
    rate: (step) => warmUpRate(0.1, step, { ticks: 4 }),
  },
  weights: { optimiser: nesterov, classWeights, labelSmoothing: 0.1 },
  mixed: {
    ...{ optimiser: nesterov, classWeights, labelSmoothing: 0.2 },
    ...{ targets: true, targetsAt: mixed },
  },
  binary: {
    ...{ optimiser: nesterov, classWeights },
    ...{ loss: "binary", targetsAt: binary },
  },
  clip: { optimiser: nesterov, clipNorm: 0.8 },
  clip_adamw: {
    optimiser: adamW({ learningRate: 1e-2, weightDecay: 0.1 }),
    clipNorm: 0.8,
  },
  decay_adam: {
    ...headFaster,
    optimiser: adam({ learningRate: 0.002, weightDecay: 0.1 }),
  },
  decay_adamw: {
    ...headFaster,
    optimiser: adamW({ learningRate: 0.002, weightDecay: 0.1 }),
  },
  decay_nesterov: {
    ...{ batchNorm: true, ...headFaster },
    optimiser: sgd({
      learningRate: 0.002,
      momentum: 0.9,
      nesterov: true,
      weightDecay: 0.1,
    }),
  },
  ema: { optimiser: nesterov, batchNorm: true, emaDecay: 0.4 },
  // Three batches of two images, or one of four and one of two, are one of six.
  "adamw, accumulated": {
    as: "adamw",
    optimiser: adamW({ learningRate: 1e-2, weightDecay: 0.1 }),
    ...{ batchSize: 2, accumulate: 3 },
  },
  "clip, accumulated": {
    as: "clip",
    ...{ optimiser: nesterov, clipNorm: 0.8 },
    ...{ batchSize: 4, accumulate: 2 },
  },
  "weights, accumulated": {
    as: "weights",
    ...{ optimiser: nesterov, classWeights, labelSmoothing: 0.1 },
    ...{ batchSize: 4, accumulate: 2 },
  },
  "mixed, accumulated": {
    as: "mixed",
    ...{ optimiser: nesterov, classWeights, labelSmoothing: 0.2 },
    ...{ targets: true, targetsAt: mixed },
    ...{ batchSize: 4, accumulate: 2 },
  },
  "binary, accumulated": {
    as: "binary",
    ...{ optimiser: nesterov, classWeights },
    ...{ loss: "binary", targetsAt: binary },
    ...{ batchSize: 4, accumulate: 2 },
  },
  groups: {
    optimiser: adamW({ learningRate: 0.1, weightDecay: 0.1 }),
    groups: [{ prefix: "features", factor: 0.1 }],
    freeze: ["features.0"],
  },
};

function stored(name: string): StoredTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`the fixture has no ${name}`);
  return tensor;
}

for (const [title, settings] of Object.entries(CASES)) {
  Deno.test(`ten steps are PyTorch's: ${title}`, async () => {
    const {
      batchNorm = false,
      rate,
      tolerance = TOLERANCE,
      targetsAt,
      emaDecay: decay,
      as: name = title,
      ...options
    } = settings;
    using device = openTestDevice();
    const model = smallModel({ batchNorm });
    using network = new Network(device, model, { state: smallState(model) });
    using training = await TrainingProgram.compile(network, {
      batchSize: SMALL_BATCH_SIZE,
      image: SMALL_IMAGE,
      ...options,
    });
    using average = decay === undefined
      ? undefined
      : await WeightAverage.create(network, { decay });
    const losses: number[] = [];
    for (let step = 0; step < STEPS; step++) {
      const { images, labels } = smallBatch(step);
      await training.step(
        images,
        targetsAt?.(step) ?? labels,
        rate ? { learningRate: rate(step) } : {},
      );
      average?.update(step + 1);
      const { lossSum, steps } = training.metrics({ reset: true });
      losses.push(lossSum / steps);
    }
    const expected = toHostTensor(stored(`${name}.losses`)).data;
    // Of batches of unlike sizes the mean is not that of one.
    if (settings.batchSize !== 4) {
      assertLess(relativeError(losses, expected), 2e-5);
    }
    for (
      const [kind, state] of [
        [name, network.state()],
        [`${name}.average`, average?.state()],
      ] as const
    ) {
      if (!state) continue;
      let compared = 0;
      for (const [parameter, { data }] of state) {
        const error = relativeError(
          data,
          toHostTensor(stored(`${kind}/${parameter}`)).data,
        );
        assert(error < tolerance, `${parameter}: relative error ${error}`);
        compared++;
      }
      assert(compared >= 6);
    }
    if (rate) {
      const { bytes } = stored(`${name}.rates`);
      const rates = new Float64Array(bytes.slice().buffer);
      const error = relativeError(
        Array.from({ length: STEPS }, (_, step) => rate(step)),
        rates,
      );
      assert(error < 1e-12, `learning rates: relative error ${error}`);
    }
    if (name === "batch_norm") {
      using inference = await InferenceProgram.compile(network, {
        batchSize: SMALL_BATCH_SIZE,
        image: SMALL_IMAGE,
      });
      const logits = await inference.run(smallBatch(0).images);
      assertLess(
        relativeError(logits, toHostTensor(stored(`${name}.logits`)).data),
        TOLERANCE,
      );
    }
  });
}
