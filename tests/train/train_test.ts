import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  type Checkpoint,
  type Dataset,
  evaluate,
  GapcamError,
  type Layer,
  Network,
  openDevice,
  readCheckpoint,
  readRunLog,
  shapesDataset,
  train,
  Trainer,
  type TrainingConfig,
  trainingConfig,
  type TrainOptions,
  vgg,
  writeCheckpoint,
} from "../../mod.ts";
import { RUN_LOG_VERSION } from "../../src/train/run_event.ts";

const SHAPES: Dataset = shapesDataset("train", { size: 16, length: 60 });
const MODEL = vgg([4, "M", 8], { classes: 10 });

function configOf(overrides: Partial<TrainingConfig> = {}): TrainingConfig {
  return trainingConfig({
    imageSize: 16,
    batchSize: 20,
    epochs: 2,
    learningRate: 0.01,
    logEvery: 2,
    flip: true,
    crop: 2,
    ...overrides,
  });
}

/** Each step is of three batches of five, and there are four an epoch. */
const EVERYTHING: Partial<TrainingConfig> = {
  ...{ batchSize: 5, accumulate: 3, clipNorm: 0.5, emaDecay: 0.9 },
  ...{ mixup: 0.4, cutmix: 1, labelSmoothing: 0.1, classWeights: "balanced" },
  ...{ optimiser: "nesterov", weightDecay: 0.01, weightDecayOn: "weights" },
};

/** Trains a new network and returns the bytes of the run's checkpoint. */
async function run(
  folder: string,
  options: Omit<Partial<TrainOptions>, "config"> & {
    config?: Partial<TrainingConfig>;
    model?: Layer;
  } = {},
): Promise<Uint8Array> {
  using device = openDevice("cpu", { threads: 2 });
  const { config, model = MODEL, ...rest } = options;
  using network = new Network(device, model, { seed: 3 });
  await train(network, SHAPES, { ...rest, config: configOf(config), folder });
  return await Deno.readFile(`${folder}/checkpoint.safetensors`);
}

async function resume(
  folder: string,
  options: { config?: Partial<TrainingConfig>; model?: Layer } = {},
): Promise<Uint8Array> {
  const checkpoint = await readCheckpoint(
    `${folder}/checkpoint.safetensors`,
    { optimiser: true },
  );
  return await run(folder, { ...options, checkpoint });
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

Deno.test("train() twice with one seed gives the same bytes, with another others", () =>
  withFolder(async (folder) => {
    const first = await run(`${folder}/a`);
    assertEquals(await run(`${folder}/b`), first);
    const other = await run(`${folder}/c`, { config: { seed: 4 } });
    assert(!equalBytes(other, first));
  }));

for (
  const [name, options] of [
    ["Adam", {}],
    ["Nesterov and cosine", {
      config: { optimiser: "nesterov", schedule: "cosine" },
    }],
    ["batch normalisation", {
      model: vgg([4, "M", 8], { classes: 10, batchNorm: true }),
    }],
    ["all at once", { config: EVERYTHING }],
  ] as const
) {
  Deno.test(`train() resumed after an epoch gives the bytes of an uncut run (${name})`, () =>
    withFolder(async (folder) => {
      const whole = await run(`${folder}/whole`, options);
      const stop = new AbortController();
      // Stops between two epochs, without changing how many are planned.
      await run(`${folder}/cut`, {
        ...options,
        signal: stop.signal,
        onEvent: ({ event }) => event === "epoch" && stop.abort(),
      });
      const cut = await readCheckpoint(
        `${folder}/cut/checkpoint.safetensors`,
      );
      assertEquals(cut.progress.epoch, 1);
      assertEquals(cut.progress.batch, 0);
      assertEquals(await resume(`${folder}/cut`, options), whole);
    }));
}

Deno.test("train() resumed in the middle of an epoch gives the bytes of an uncut run", () =>
  withFolder(async (folder) => {
    const whole = await run(`${folder}/whole`);
    const stop = new AbortController();
    await run(`${folder}/cut`, {
      signal: stop.signal,
      onStep: ({ totalSteps }) => totalSteps === 5 && stop.abort(),
    });
    const cut = await readCheckpoint(`${folder}/cut/checkpoint.safetensors`);
    assertEquals(
      [cut.progress.epoch, cut.progress.batch, cut.progress.step],
      [1, 2, 5],
    );
    assertEquals(await resume(`${folder}/cut`), whole);
    // The epoch that was cut is reported whole, with the same numbers.
    const epochs = ["whole", "cut"].map((name) =>
      readRunLog(`${folder}/${name}/log.jsonl`)
        .filter((one) => one.event === "epoch")
        .map(({ epoch, loss, accuracy }) => ({ epoch, loss, accuracy }))
    );
    assertEquals(epochs[1], epochs[0]);
    assertEquals(epochs[0]!.length, 2);
  }));

Deno.test("train() with all at once, cut in an epoch, goes on to the same bytes", () =>
  withFolder(async (folder) => {
    const whole = await run(`${folder}/whole`, { config: EVERYTHING });
    const stop = new AbortController();
    await run(`${folder}/cut`, {
      config: EVERYTHING,
      signal: stop.signal,
      onStep: ({ totalSteps }) => totalSteps === 6 && stop.abort(),
    });
    const cut = await readCheckpoint(`${folder}/cut/checkpoint.safetensors`);
    assertEquals([cut.progress.epoch, cut.progress.batch], [1, 2]);
    assertEquals(
      await resume(`${folder}/cut`, { config: EVERYTHING }),
      whole,
    );
  }));

Deno.test("train() on small batches learns what one on the large batch does", () =>
  withFolder(async (folder) => {
    const parameters = async (config: Partial<TrainingConfig>) => {
      const path = `${folder}/${config.accumulate ?? 1}`;
      await run(path, { config });
      return (await readCheckpoint(`${path}/checkpoint.safetensors`))
        .parameters;
    };
    const large = await parameters({ mixup: 0.4, clipNorm: 0.5 });
    const small = await parameters({
      ...{ mixup: 0.4, clipNorm: 0.5, batchSize: 5, accumulate: 4 },
    });
    for (const [name, { data }] of large) {
      const other = small.get(name)!.data;
      data.forEach((value, i) => assertLess(Math.abs(value - other[i]!), 1e-4));
    }
  }));

Deno.test("train() for one epoch and resumed for another gives the bytes of two", () =>
  withFolder(async (folder) => {
    const whole = await run(`${folder}/whole`);
    await run(`${folder}/one`, { config: { epochs: 1 } });
    assertEquals(await resume(`${folder}/one`), whole);
  }));

Deno.test("train() logs its configuration, intervals and epochs", () =>
  withFolder(async (folder) => {
    await run(`${folder}/run`, { config: { epochs: 1 }, modelName: "mine" });
    const log = readRunLog(`${folder}/run/log.jsonl`);
    assertEquals(log.map(({ event }) => event), [
      "start",
      "checkpoint",
      "interval",
      "epoch",
      "checkpoint",
      "stop",
    ]);
    const [start, , interval, , checkpoint, stop] = log;
    assert(start?.event === "start");
    assertEquals(start.machine?.deno, Deno.version.deno);
    assertEquals(start.machine?.threads, 2);
    assertEquals([start.model, start.version], ["mine", RUN_LOG_VERSION]);
    assertEquals(start.config, configOf({ epochs: 1 }));
    assertMatch(start.time, /^\d{4}-\d\d-\d\dT/);
    assert(interval?.event === "interval");
    assertEquals([interval.epoch, interval.step], [1, 2]);
    assert(checkpoint?.event === "checkpoint" && stop?.event === "stop");
    assertEquals([checkpoint.file, checkpoint.step], [
      "checkpoint.safetensors",
      3,
    ]);
    assertEquals([stop.reason, stop.epoch, stop.step], ["finished", 1, 3]);
  }));

Deno.test("train() learns: the loss on a few images falls below a third", () =>
  withFolder(async (folder) => {
    await run(`${folder}/run`, {
      config: {
        epochs: 40,
        flip: false,
        crop: 0,
        learningRate: 0.02,
        schedule: "one-cycle",
      },
      model: vgg([16, "M", 32], { classes: 10, batchNorm: true }),
    });
    const losses = readRunLog(`${folder}/run/log.jsonl`)
      .filter((one) => one.event === "epoch")
      .map(({ loss }) => loss);
    assertLess(losses.at(-1)!, losses[0]! / 3);
  }));

Deno.test("train() stops at a loss that is not finite, says where, and keeps the checkpoint", () =>
  withFolder(async (folder) => {
    const path = `${folder}/run/checkpoint.safetensors`;
    let saved: Uint8Array | undefined;
    const error = await assertRejects(
      () =>
        run(`${folder}/run`, {
          config: { optimiser: "sgd", learningRate: 1e12, epochs: 3 },
          onStep: () => saved ??= Deno.readFileSync(path),
        }),
      GapcamError,
    );
    assertEquals(error.code, "diverged");
    assertMatch(
      error.message,
      /^Cannot go on training: the loss is .+ in epoch 1, step [23], expected a finite number up to 1000; the largest parameter is .+ in (features|classifier)\S+, the largest gradient is .+ in (features|classifier)\S+; .*the checkpoint of epoch 0 is kept in /,
    );
    assertEquals(await Deno.readFile(path), saved);
    const log = readRunLog(`${folder}/run/log.jsonl`);
    assertEquals(log.at(-1)!.event, "divergence");
  }));

Deno.test("train() waits for its callbacks before it goes on", () =>
  withFolder(async (folder) => {
    let open = 0;
    const seen: string[] = [];
    const wait = async (name: string) => {
      assertEquals(open++, 0);
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.push(name);
      open--;
    };
    await run(`${folder}/run`, {
      config: { epochs: 1 },
      onStep: () => wait("step"),
      onEvent: ({ event }) => wait(event),
    });
    assertEquals(
      seen.join(" "),
      "start checkpoint step step interval step epoch checkpoint stop",
    );
    const trained = seen.length;
    using device = openDevice("cpu", { threads: 1 });
    using network = new Network(device, MODEL, { seed: 3 });
    await evaluate(network, SHAPES, {
      batchSize: 20,
      onProgress: () => wait("test"),
    });
    assertEquals(seen.slice(trained).join(" "), "test test test");
  }));

for (
  const name of [
    "start",
    "step",
    "interval",
    "epoch",
    "checkpoint",
    "stop",
  ]
) {
  Deno.test(`train() ends where what is called at ${name} fails, and can be resumed`, () =>
    withFolder(async (folder) => {
      const whole = await run(`${folder}/whole`);
      const fail = async (at: string) => {
        if (at === name) await Promise.reject(new TypeError("mine"));
      };
      await assertRejects(
        () =>
          run(`${folder}/cut`, {
            onStep: () => fail("step"),
            onEvent: ({ event }) => fail(event),
          }),
        TypeError,
        "mine",
      );
      assertEquals(await resume(`${folder}/cut`), whole);
    }));
}

Deno.test("train() saves every so many steps, and resumes from there to the same bytes", () =>
  withFolder(async (folder) => {
    const whole = await run(`${folder}/whole`);
    const path = `${folder}/cut/checkpoint.safetensors`;
    const saved: number[] = [];
    const fail = new Error("power cut");
    await assertRejects(
      () =>
        run(`${folder}/cut`, {
          saveEvery: 2,
          onStep: async ({ totalSteps }) => {
            const { progress } = await readCheckpoint(path);
            if (progress.step !== saved.at(-1)) saved.push(progress.step);
            if (totalSteps === 5) throw fail;
          },
        }),
      Error,
      "power cut",
    );
    // Three steps an epoch: after step 2, the epoch and step 4.
    assertEquals(saved, [0, 2, 3, 4]);
    assertEquals(await resume(`${folder}/cut`), whole);
    await assertRejects(
      () => run(`${folder}/none`, { saveEvery: 0 }),
      GapcamError,
      "Cannot save every 0 steps: expected a whole number from 1",
    );
  }));

Deno.test("train() whose log cannot be written saves, says so and can be resumed", () =>
  withFolder(async (folder) => {
    const whole = await run(`${folder}/whole`);
    const { writeSync } = Deno.FsFile.prototype;
    const path = `${folder}/cut/checkpoint.safetensors`;
    try {
      const error = await assertRejects(
        () =>
          run(`${folder}/cut`, {
            onStep: ({ totalSteps }) => {
              if (totalSteps !== 2) return;
              Deno.FsFile.prototype.writeSync = () => {
                throw new Error("No space left on device (os error 28)");
              };
            },
          }),
        GapcamError,
      );
      assertEquals(
        error.message,
        `Cannot write run log ${folder}/cut/log.jsonl: No space left on ` +
          "device; the run is saved after step 2 and can be resumed",
      );
    } finally {
      Deno.FsFile.prototype.writeSync = writeSync;
    }
    assertEquals((await readCheckpoint(path)).progress.step, 2);
    assertEquals(await resume(`${folder}/cut`), whole);
  }));

Deno.test("train() with frozen features changes the classifier alone", () =>
  withFolder(async (folder) => {
    using device = openDevice("cpu", { threads: 1 });
    using network = new Network(device, MODEL, { seed: 3 });
    const before = network.state();
    await train(network, SHAPES, {
      config: configOf({ freeze: ["features"], epochs: 1 }),
      folder: `${folder}/run`,
    });
    const after = network.state();
    for (const [name, { data }] of after) {
      const same = before.get(name)!.data.every((value, i) =>
        value === data[i]
      );
      assertEquals(same, name.startsWith("features"), name);
    }
  }));

Deno.test("train() leaves no folder behind when it cannot start", () =>
  withFolder(async (folder) => {
    await assertRejects(
      () => run(`${folder}/run`, { config: { batchSize: 61 } }),
      GapcamError,
      "Cannot load batches of 61 images: shapes (train) has only 60",
    );
    await assertRejects(
      () => run(`${folder}/run`, { config: { imageSize: 1 } }),
      GapcamError,
      "an image of 1 x 1 is too small for the model's 1 pools",
    );
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("Trainer.create() rejects a model for other classes", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4], { classes: 3 }));
  await assertRejects(
    () => Trainer.create(network, SHAPES, { config: configOf() }),
    GapcamError,
    "Cannot train on shapes: it has 10 classes, the model 3",
  );
});

Deno.test("Trainer.create() rejects the progress of a run on other data", () =>
  withFolder(async (folder) => {
    await run(`${folder}/run`);
    const checkpoint: Checkpoint = await readCheckpoint(
      `${folder}/run/checkpoint.safetensors`,
      { optimiser: true },
    );
    using device = openDevice("cpu", { threads: 1 });
    using network = new Network(device, MODEL);
    const error = await assertRejects(
      () =>
        Trainer.create(
          network,
          shapesDataset("train", { size: 16, length: 40 }),
          {
            config: configOf(),
            progress: checkpoint.progress,
          },
        ),
      GapcamError,
    );
    assertStringIncludes(error.message, "Cannot go on training after 6 steps");
  }));

Deno.test("readCheckpoint() gives back what writeCheckpoint() wrote", () =>
  withFolder(async (folder) => {
    await run(`${folder}/run`, { modelName: "mine" });
    const path = `${folder}/run/checkpoint.safetensors`;
    const checkpoint = await readCheckpoint(path, { optimiser: true });
    assertEquals(checkpoint.model, MODEL);
    assertEquals(checkpoint.modelName, "mine");
    assertEquals(checkpoint.classes, [...SHAPES.classes]);
    // One number for all channels became one for each.
    const half = [0.5, 0.5, 0.5];
    assertEquals(checkpoint.training, {
      ...configOf(),
      mean: half,
      deviation: half,
    });
    assertEquals(checkpoint.optimiserState.size, 12);
    await writeCheckpoint(`${folder}/again.safetensors`, checkpoint);
    assertEquals(
      await Deno.readFile(`${folder}/again.safetensors`),
      await Deno.readFile(path),
    );
    const network = await readCheckpoint(path);
    assertEquals(network.optimiserState.size, 0);
    assertEquals(network.parameters.size, 6);
  }));

function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length &&
    left.every((byte, i) => byte === right[i]);
}
