import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Dataset,
  evaluate,
  GapcamError,
  InferenceProgram,
  Network,
  openDevice,
  readCheckpoint,
  shapesDataset,
  type StateDict,
  train,
  Trainer,
  type TrainingConfig,
  trainingConfig,
  validationSplit,
  vgg,
} from "../../mod.ts";

const SHAPES: Dataset = shapesDataset("train", { size: 16, length: 60 });
const MODEL = vgg([4, "M", 8], { classes: 10, batchNorm: true });

function configOf(overrides: Partial<TrainingConfig> = {}): TrainingConfig {
  return trainingConfig({
    imageSize: 16,
    batchSize: 20,
    epochs: 4,
    learningRate: 0.05,
    ...overrides,
  });
}

function copyOf(state: StateDict): Map<string, number[]> {
  return new Map([...state].map(([name, { data }]) => [name, [...data]]));
}

/** The largest difference between two sets of values. */
function difference(
  one: ReadonlyMap<string, ArrayLike<number>>,
  other: ReadonlyMap<string, ArrayLike<number>>,
): number {
  let largest = 0;
  for (const [name, values] of one) {
    for (let i = 0; i < values.length; i++) {
      largest = Math.max(largest, Math.abs(values[i]! - other.get(name)![i]!));
    }
  }
  return largest;
}

async function withFolder(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("Trainer averages weights and running statistics as the formula says, for twelve steps", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, MODEL, { seed: 3 });
  using trainer = await Trainer.create(network, SHAPES, {
    config: configOf({ emaDecay: 0.6 }),
  });
  const expected = copyOf(network.state());
  let steps = 0;
  for (let epoch = 0; epoch < 4; epoch++) {
    await trainer.runEpoch({
      onStep: () => {
        steps++;
        // 2/11, 3/12, ... up to 0.6.
        const decay = Math.min(0.6, (1 + steps) / (10 + steps));
        const now = network.state();
        for (const [name, average] of expected) {
          const { data } = now.get(name)!;
          average.forEach((value, i) => {
            average[i] = decay * value + (1 - decay) * data[i]!;
          });
        }
        const found = copyOf(trainer.averages!);
        assert(difference(found, expected) < 1e-5, `step ${steps}`);
      },
    });
  }
  assertEquals(steps, 12);
  // It is an average, not the network.
  assert(difference(copyOf(network.state()), expected) > 1e-3);
});

Deno.test("train() keeps averages beside the weights, resumes to the same bytes, and learns what it learns without", () =>
  withFolder(async (folder) => {
    using device = openDevice("cpu", { threads: 2 });
    const run = async (
      name: string,
      options: Partial<Parameters<typeof train>[2]> = {},
      config = configOf({ emaDecay: 0.9 }),
    ) => {
      using network = new Network(device, MODEL, { seed: 3 });
      const path = `${folder}/${name}`;
      await train(network, SHAPES, { ...options, config, folder: path });
      return `${path}/checkpoint.safetensors`;
    };
    const whole = await run("whole");
    const stop = new AbortController();
    const cut = await run("cut", {
      signal: stop.signal,
      onStep: ({ totalSteps }) => totalSteps === 5 && stop.abort(),
    });
    const checkpoint = await readCheckpoint(cut, { optimiser: true });
    await run("cut", { checkpoint });
    assertEquals(await Deno.readFile(cut), await Deno.readFile(whole));
    const plain = await readCheckpoint(await run("plain", {}, configOf()));
    const state = await readCheckpoint(whole, { optimiser: true });
    assertEquals(state.parameters, plain.parameters);
    // Whoever reads the network alone gets the averages.
    const shown = await readCheckpoint(whole);
    assertEquals(shown.parameters, state.averages!);
    assertEquals(shown.averages, undefined);
    state.averages!.delete("classifier.weight");
    await assertRejects(
      () => run("damaged", { checkpoint: state }),
      GapcamError,
      "Cannot go on with the average of classifier.weight: found none",
    );
  }));

Deno.test("train() judges the averages, and keeps those of the best epoch", () =>
  withFolder(async (folder) => {
    using device = openDevice("cpu", { threads: 1 });
    using network = new Network(device, MODEL, { seed: 3 });
    const parts = validationSplit(
      shapesDataset("train", { size: 16, length: 90 }),
      { fraction: 1 / 3 },
    );
    const { best, averages, bestCheckpoint } = await train(
      network,
      parts.train,
      {
        config: configOf({ emaDecay: 0.9, bestBy: "loss" }),
        validation: parts.validation,
        folder: `${folder}/run`,
      },
    );
    const { parameters, progress } = await readCheckpoint(bestCheckpoint!);
    using judged = new Network(device, MODEL, { state: parameters });
    const { loss } = await evaluate(judged, parts.validation, {
      batchSize: 20,
    });
    assertEquals(loss, best!.loss);
    if (progress.epoch === 4) assertEquals(parameters, averages);
  }));

Deno.test("weight decay on weights alone leaves biases and normalisation to the gradient", async () => {
  const afterOneStep = async (config: Partial<TrainingConfig>) => {
    using device = openDevice("cpu", { threads: 1 });
    using network = new Network(device, MODEL, { seed: 3 });
    // So that decay has something to work on.
    network.load(
      new Map([...network.state()].map(([name, { shape, data }]) => [
        name,
        { shape, data: data.map((value) => value + 0.5) },
      ])),
    );
    using trainer = await Trainer.create(network, SHAPES, {
      config: configOf({ batchSize: 60, optimiser: "sgd", ...config }),
    });
    await trainer.runEpoch();
    return network.state();
  };
  const none = await afterOneStep({ weightDecay: 0 });
  const all = await afterOneStep({ weightDecay: 0.3 });
  const weights = await afterOneStep({
    weightDecay: 0.3,
    weightDecayOn: "weights",
  });
  for (const [name, { shape, data }] of weights) {
    if (name.includes("running")) continue;
    const like = shape.length > 1 ? all : none;
    assertEquals(data, like.get(name)!.data, name);
  }
  assert(
    weights.get("classifier.bias")!.data[0] !==
      all.get("classifier.bias")!.data[0],
  );
});

Deno.test("trainingConfig() refuses a decay of averages that is none", () => {
  for (const emaDecay of [1, -0.1, NaN]) {
    assertThrows(
      () => trainingConfig({ emaDecay }),
      GapcamError,
      "expected a number above 0 and below 1, or 0 for no average",
    );
  }
});

Deno.test("evaluate() with flips averages the logits of an image and of its mirror image", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, MODEL, { seed: 1 });
  const length = 12, row = 16 * 3;
  const shapes = shapesDataset("test", { size: 16, length });
  const images = new Uint8Array(length * 16 * row);
  await shapes.read(Array.from({ length }, (_, i) => i), images);
  const mirrored = new Uint8Array(images.length);
  for (let pixel = 0; pixel < images.length / 3; pixel++) {
    const column = pixel % 16;
    const to = pixel - column + (15 - column);
    mirrored.set(images.subarray(3 * pixel, 3 * pixel + 3), 3 * to);
  }
  using program = await InferenceProgram.compile(network, {
    batchSize: length,
    image: shapes,
  });
  const one = await program.run(images);
  const other = await program.run(mirrored);
  let loss = 0;
  for (let i = 0; i < length; i++) {
    const logits = Array.from(
      one.subarray(10 * i, 10 * i + 10),
      (value, j) => (value + other[10 * i + j]!) / 2,
    );
    const sum = logits.reduce((total, value) => total + Math.exp(value), 0);
    loss += (Math.log(sum) - logits[shapes.labels[i]!]!) / length;
  }
  const evaluation = await evaluate(network, shapes, { flips: true });
  assert(Math.abs(evaluation.loss - loss) < 1e-6);
  assert(
    Math.abs((await evaluate(network, shapes)).loss - loss) > 1e-6,
  );
});
