import { assert, assertEquals, assertRejects } from "@std/assert";
import {
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
  type TrainingConfig,
  trainingConfig,
  type TrainOptions,
  type TrainResult,
  type ValidationEvent,
  validationSplit,
  vgg,
} from "../../mod.ts";

const SHAPES: Dataset = shapesDataset("train", { size: 16, length: 90 });
const { train: TRAIN, validation: VALIDATION } = validationSplit(SHAPES, {
  fraction: 1 / 3,
});
const MODEL = vgg([4, "M", 8], { classes: 10, batchNorm: true });
const LAST = "checkpoint.safetensors", BEST = "best.safetensors";

type Options = Omit<Partial<TrainOptions>, "config"> & {
  config?: Partial<TrainingConfig>;
  model?: Layer;
};

async function run(
  folder: string,
  options: Options = {},
): Promise<TrainResult> {
  using device = openDevice("cpu", { threads: 2 });
  const { config, model = MODEL, ...rest } = options;
  using network = new Network(device, model, { seed: 3 });
  return await train(network, TRAIN, {
    validation: VALIDATION,
    ...rest,
    config: trainingConfig({
      imageSize: 16,
      batchSize: 20,
      epochs: 4,
      learningRate: 0.01,
      emaDecay: 0.7,
      ...config,
    }),
    folder,
  });
}

async function resume(folder: string, options: Options = {}) {
  const checkpoint = await readCheckpoint(`${folder}/${LAST}`, {
    optimiser: true,
  });
  return await run(folder, { ...options, checkpoint });
}

async function bytesOf(folder: string): Promise<Uint8Array[]> {
  return await Promise.all(
    [LAST, BEST].map((name) => Deno.readFile(`${folder}/${name}`)),
  );
}

function validations(folder: string): ValidationEvent[] {
  return readRunLog(`${folder}/log.jsonl`)
    .filter((event) => event.event === "validation");
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

for (const bestBy of ["accuracy", "loss"] as const) {
  Deno.test(`train() keeps the network that validation finds best by ${bestBy}`, () =>
    withFolder(async (folder) => {
      const { best, bestCheckpoint } = await run(folder, {
        config: { bestBy },
      });
      const events = validations(folder);
      assertEquals(events.map(({ epoch }) => epoch), [1, 2, 3, 4]);
      const values = events.map((event) => event[bestBy]);
      const extreme = bestBy === "loss"
        ? Math.min(...values)
        : Math.max(...values);
      const first = events[values.indexOf(extreme)]!;
      assertEquals([best?.epoch, best?.[bestBy]], [first.epoch, extreme]);
      assertEquals(events.filter((one) => one.best).at(-1), first);
      for (const { confusion, images, accuracy } of events) {
        const right = confusion!.map((row, label) => row[label]!);
        assertEquals(confusion!.flat().reduce((a, b) => a + b), images);
        assertEquals(right.reduce((a, b) => a + b) / images, accuracy);
      }
      // What was kept is what was judged.
      const kept = await readCheckpoint(bestCheckpoint!);
      assertEquals(kept.progress.epoch, first.epoch);
      using device = openDevice("cpu", { threads: 2 });
      using network = new Network(device, MODEL, { state: kept.parameters });
      const { accuracy, loss } = await evaluate(network, VALIDATION, {
        batchSize: 20,
      });
      assertEquals([accuracy, loss], [first.accuracy, first.loss]);
    }));
}

Deno.test("train() judged after each epoch learns what it learns without", () =>
  withFolder(async (folder) => {
    await run(`${folder}/judged`);
    using device = openDevice("cpu", { threads: 2 });
    using network = new Network(device, MODEL, { seed: 3 });
    await train(network, TRAIN, {
      config: (await readCheckpoint(`${folder}/judged/${LAST}`)).training,
      folder: `${folder}/plain`,
    });
    const [judged, plain] = await Promise.all(
      ["judged", "plain"].map((name) =>
        readCheckpoint(`${folder}/${name}/${LAST}`, { optimiser: true })
      ),
    );
    assertEquals(judged!.parameters, plain!.parameters);
    assertEquals(judged!.optimiserState, plain!.optimiserState);
  }));

Deno.test("train() cut anywhere is judged and goes on to the bytes of an uncut run", () =>
  withFolder(async (folder) => {
    await run(`${folder}/whole`);
    const whole = await bytesOf(`${folder}/whole`);
    // What happens in a run, one after the other.
    const moments: string[] = [];
    const moment = (name: string, fail: number) => {
      moments.push(name);
      if (moments.length > fail) throw new TypeError("power cut");
    };
    for (let fail = 0; fail < 1000; fail += 4) {
      const cut = `${folder}/cut${fail}`;
      moments.length = 0;
      try {
        await run(cut, {
          onStep: () => moment("step", fail),
          onEvent: ({ event }) => moment(event, fail),
          onValidationProgress: () => moment("progress", fail),
        });
        break;
      } catch (error) {
        assert(error instanceof TypeError, `${error}`);
      }
      await resume(cut);
      assertEquals(await bytesOf(cut), whole, `${fail}: ${moments.at(-1)}`);
    }
    assert(moments.includes("progress"));
  }));

Deno.test("train() aborted while it is judged saves, and is judged when it goes on", () =>
  withFolder(async (folder) => {
    await run(`${folder}/whole`);
    const stop = new AbortController();
    let seen = 0;
    const result = await run(`${folder}/cut`, {
      signal: stop.signal,
      onValidationProgress: () => ++seen === 3 && stop.abort(),
    });
    assertEquals([result.finished, result.epochs], [false, 2]);
    assertEquals(validations(`${folder}/cut`).length, 1);
    const { finished } = await resume(`${folder}/cut`);
    assertEquals(finished, true);
    assertEquals(
      await bytesOf(`${folder}/cut`),
      await bytesOf(`${folder}/whole`),
    );
    const numbers = (name: string) =>
      validations(`${folder}/${name}`)
        .map(({ epoch, loss, best }) => ({ epoch, loss, best }));
    assertEquals(numbers("cut"), numbers("whole"));
  }));

Deno.test("train() ends where patience does, and stays ended", () =>
  withFolder(async (folder) => {
    // Nothing changes, running statistics neither: the first epoch stays best.
    const model = vgg([4, "M", 8], { classes: 10 });
    const config = {
      learningRate: 0,
      optimiser: "sgd",
      momentum: 0,
      epochs: 9,
      patience: 3,
    } as const;
    const result = await run(folder, { config, model });
    assertEquals([result.finished, result.epochs], [true, 4]);
    assertEquals(result.best?.epoch, 1);
    const stop = readRunLog(`${folder}/log.jsonl`).at(-1)!;
    assert(stop.event === "stop" && stop.reason === "patience");
    const [before] = await bytesOf(folder);
    assertEquals((await resume(folder, { config, model })).epochs, 4);
    assertEquals((await bytesOf(folder))[0], before);
    const longer = { ...config, patience: 5 };
    assertEquals((await resume(folder, { config: longer, model })).epochs, 6);
  }));

Deno.test("train() whose best was lost takes the next one", () =>
  withFolder(async (folder) => {
    const stop = new AbortController();
    await run(folder, {
      signal: stop.signal,
      onEvent: ({ event }) => event === "validation" && stop.abort(),
    });
    await Deno.remove(`${folder}/${BEST}`);
    const { best, bestCheckpoint } = await resume(folder);
    assertEquals(
      (await readCheckpoint(bestCheckpoint!)).progress.epoch,
      best?.epoch,
    );
  }));

Deno.test("train() refuses patience without validation, and validation without images of its classes", () =>
  withFolder(async (folder) => {
    using device = openDevice("cpu", { threads: 1 });
    using network = new Network(device, MODEL);
    const config = trainingConfig({
      imageSize: 16,
      batchSize: 20,
      patience: 2,
    });
    await assertRejects(
      () => train(network, TRAIN, { config, folder: `${folder}/run` }),
      GapcamError,
      "Cannot train with a patience of 2 epochs: found no images to validate on",
    );
    const other = { ...VALIDATION, classes: VALIDATION.classes.slice(1) };
    await assertRejects(
      () => run(`${folder}/run`, { validation: other as Dataset }),
      GapcamError,
    );
    assertEquals([...Deno.readDirSync(folder)], []);
  }));
