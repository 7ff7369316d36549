import { assert, assertEquals, assertLess, assertNotEquals } from "@std/assert";
import {
  type Dataset,
  Network,
  openDevice,
  readCheckpoint,
  readRunLog,
  shapesDataset,
  type StateDict,
  train,
  type TrainingConfig,
  trainingConfig,
  type TrainOptions,
  vgg,
} from "../../mod.ts";
import { learningRateAt } from "../../src/train/learning_rate.ts";
import { initialise } from "../../src/nn/parameters.ts";

const SHAPES: Dataset = shapesDataset("train", { size: 16, length: 50 });
const MODEL = vgg([4, "M", 8], { classes: 10, batchNorm: true });
const HEAD = /^classifier/;

/** Weights of a trunk that was trained: its statistics are no longer 0 and 1. */
function trained(): StateDict {
  const state = initialise(MODEL, 3);
  for (const [name, { data }] of state) {
    if (/running_mean$/.test(name)) data.forEach((_, i) => data[i] = 0.1 * i);
    if (/running_var$/.test(name)) data.fill(0.4);
  }
  return state;
}

/** Trains in a folder and gives the network's state, and the run's bytes. */
async function run(
  folder: string,
  config: Partial<TrainingConfig>,
  options: Partial<TrainOptions> = {},
): Promise<{ state: StateDict; bytes: Uint8Array; finished: boolean }> {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, MODEL, { state: trained() });
  const { finished } = await train(network, SHAPES, {
    ...options,
    folder,
    config: trainingConfig({
      ...{ imageSize: 16, batchSize: 20, epochs: 3, learningRate: 0.01 },
      ...{ logEvery: 1, schedule: "one-cycle" },
      ...config,
    }),
  });
  const bytes = await Deno.readFile(`${folder}/checkpoint.safetensors`);
  return { state: network.state(), bytes, finished };
}

/** Goes on with the run in a folder. */
async function resume(folder: string, config: Partial<TrainingConfig>) {
  const path = `${folder}/checkpoint.safetensors`;
  const checkpoint = await readCheckpoint(path, { optimiser: true });
  return await run(folder, config, { checkpoint });
}

/** Trains until so many steps are done. */
async function cut(
  folder: string,
  config: Partial<TrainingConfig>,
  steps: number,
): Promise<void> {
  const stop = new AbortController();
  const { finished } = await run(folder, config, {
    signal: stop.signal,
    onStep: ({ totalSteps }) => {
      if (totalSteps === steps) stop.abort();
    },
  });
  assertEquals(finished, false);
}

async function withFolder(test: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Names of tensors that differ. */
function changed(a: StateDict, b: StateDict): string[] {
  return [...a].filter(([name, { data }]) =>
    !data.every((value, i) => value === b.get(name)!.data[i])
  ).map(([name]) => name);
}

for (const flip of [false, true, "alternating"] as const) {
  Deno.test(`train() with a frozen trunk learns of features computed once what it would learn of images, flipped: ${flip}`, () =>
    withFolder(async (folder) => {
      const config = { freeze: ["features"], flip };
      const progress: number[] = [];
      const fast = await run(`${folder}/a`, config, {
        onFeatureProgress: (done, images) => {
          progress.push(done, images);
        },
      });
      assertEquals(progress, [20, 50, 40, 50, 50, 50]);
      // Too little to change a level, but images are augmented.
      const slow = await run(`${folder}/b`, {
        ...config,
        augmentation: { brightness: 1e-9 },
      }, {
        onFeatureProgress: () => {
          throw new Error("features of what changes");
        },
      });
      for (const [name, { data }] of fast.state) {
        const other = slow.state.get(name)!.data;
        data.forEach((value, i) => {
          assertLess(Math.abs(value - other[i]!), 2e-5, name);
        });
      }
      assertEquals(
        changed(fast.state, trained()).every((n) => HEAD.test(n)),
        true,
      );
      // Nothing normalises by its batch, so none is left out.
      const log = readRunLog(`${folder}/a/log.jsonl`);
      assertEquals(log.filter(({ event }) => event === "interval").length, 9);
    }));
}

Deno.test("train() with a frozen trunk, flipped, learns something else than not flipped", () =>
  withFolder(async (folder) => {
    const freeze = ["features"];
    const plain = await run(`${folder}/a`, { freeze });
    const flipped = await run(`${folder}/b`, { freeze, flip: true });
    assert(changed(plain.state, flipped.state).length > 0);
  }));

Deno.test("train() on features, cut anywhere and resumed, gives the bytes of an uncut run", () =>
  withFolder(async (folder) => {
    const config = { freeze: ["features"], emaDecay: 0.9 };
    const whole = await run(`${folder}/whole`, config);
    for (const steps of [2, 3, 7]) {
      await cut(`${folder}/${steps}`, config, steps);
      const { bytes } = await resume(`${folder}/${steps}`, config);
      assertEquals(bytes, whole.bytes);
    }
    const stop = new AbortController();
    const early = await run(`${folder}/early`, config, {
      signal: stop.signal,
      onFeatureProgress: () => stop.abort(),
    });
    assertEquals(early.finished, false);
    assertEquals((await resume(`${folder}/early`, config)).bytes, whole.bytes);
  }));

const FINE = { headEpochs: 1, trunkRate: 0.1, flip: true } as const;

Deno.test("train() with head epochs lets the head learn alone first, then all at their rates", () =>
  withFolder(async (folder) => {
    const first = await run(`${folder}/a`, { ...FINE, epochs: 1 });
    assertEquals(
      changed(first.state, trained()),
      ["classifier.weight", "classifier.bias"],
    );
    const all = await run(`${folder}/b`, FINE);
    assertEquals(changed(all.state, first.state).length, all.state.size);
    // Each phase has its own one-cycle.
    const rates = readRunLog(`${folder}/b/log.jsonl`).flatMap((event) =>
      event.event === "interval" ? [event.learningRate] : []
    );
    const expected = [0, 1, 0, 1, 2, 3].map((step, i) =>
      learningRateAt("one-cycle", step, {
        ...{ learningRate: 0.01, stepsPerEpoch: 2, epochs: i < 2 ? 1 : 2 },
      })
    );
    assertEquals(rates, expected);
    const still = await run(`${folder}/c`, { ...FINE, trunkRate: 0 });
    for (const name of changed(still.state, first.state)) {
      assert(HEAD.test(name) || /running/.test(name), name);
    }
  }));

Deno.test("train() with head epochs, cut anywhere and resumed, gives the bytes of an uncut run", () =>
  withFolder(async (folder) => {
    const whole = await run(`${folder}/whole`, FINE);
    // Two steps an epoch: within the first, where the others begin, after that.
    for (const steps of [1, 2, 3, 5]) {
      await cut(`${folder}/${steps}`, FINE, steps);
      const { bytes } = await resume(`${folder}/${steps}`, FINE);
      assertEquals(bytes, whole.bytes, `${steps} steps`);
    }
    const other = await run(`${folder}/other`, { ...FINE, headEpochs: 2 });
    assertNotEquals(other.bytes, whole.bytes);
  }));
