import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  datasetOf,
  Explainer,
  Network,
  openDevice,
  readCheckpoint,
  readImage,
  shapesDataset,
  train,
  trainingConfig,
  type TrainOptions,
  vgg,
} from "../../mod.ts";
import { filmMapValues, readFilm } from "../../src/watch/film.ts";
import { chosenImages } from "../../src/watch/_film_parts.ts";
import { FilmRecorder } from "../../src/watch/film_recorder.ts";

const MODEL = vgg([4, "M", 8], { classes: 10 });
const TRAIN = shapesDataset("train", { size: 16, length: 40 });
const TEST = shapesDataset("test", { size: 16, length: 40 });
const CONFIG = trainingConfig({ imageSize: 16, batchSize: 10, epochs: 3 });

/** Trains, with a film or without one. */
async function run(
  folder: string,
  options: Partial<TrainOptions> & { film?: boolean } = {},
): Promise<void> {
  const { film: filmed = true, ...rest } = options;
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, MODEL, { seed: 5 });
  using film = filmed
    ? await FilmRecorder.create(network, TEST, {
      folder,
      config: rest.config ?? CONFIG,
    })
    : undefined;
  await train(network, TRAIN, {
    config: CONFIG,
    folder,
    ...rest,
    onEvent: async (event, moment) => {
      await rest.onEvent?.(event, moment);
      await film?.event(event, moment);
    },
  });
  assertEquals(film?.problem, undefined);
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

Deno.test("a film has a frame before training and one an epoch, and changes no byte of the checkpoint", () =>
  withFolder(async (folder) => {
    await run(`${folder}/filmed`);
    await run(`${folder}/plain`, { film: false });
    const [filmed, plain] = await Promise.all(
      ["filmed", "plain"].map((name) =>
        Deno.readFile(`${folder}/${name}/checkpoint.safetensors`)
      ),
    );
    assertEquals(filmed, plain);
    const film = await readFilm(`${folder}/filmed`);
    assertEquals(
      film?.frames.map(({ epoch, step }) => [epoch, step]),
      [[0, 0], [1, 4], [2, 8], [3, 12]],
    );
    assertEquals(
      film?.images.map(({ label }) => label),
      [0, 1, 2, 3, 5, 6, 7, 8],
    );
    assertEquals(await readFilm(`${folder}/plain`), undefined);
  }));

for (const emaDecay of [0, 0.9]) {
  const of = emaDecay > 0 ? " of the averages" : "";
  Deno.test(`a film's last maps are those of the explainer${of}, to a level of 256`, () =>
    withFolder(async (folder) => {
      await run(folder, { config: { ...CONFIG, emaDecay } });
      const film = (await readFilm(folder))!;
      const kept = await readCheckpoint(`${folder}/checkpoint.safetensors`);
      using device = openDevice("cpu", { threads: 1 });
      using network = new Network(device, MODEL, { state: kept.parameters });
      using explainer = await Explainer.create(network, {
        batchSize: 1,
        image: TEST,
        mean: CONFIG.mean,
        deviation: CONFIG.deviation,
      });
      const pixels = new Uint8Array(16 * 16 * 3);
      for (const [i, image] of film.images.entries()) {
        const filmed = film.frames.at(-1)!.images[i]!;
        await TEST.read([image.index], pixels);
        assertEquals(TEST.labels[image.index], image.label);
        for (
          const [map, classIndex] of [
            [filmed.label, image.label],
            [filmed.answer, undefined],
          ] as const
        ) {
          const [own] = await explainer.explain(
            pixels,
            classIndex === undefined ? {} : { classIndex },
          );
          assertEquals(map.classIndex, own!.classIndex);
          assert(Math.abs(map.probability - own!.probability) < 1e-5);
          const level = (map.to - map.from) / 255;
          filmMapValues(map).forEach((value, place) =>
            assert(Math.abs(value - own!.map.data[place]!) <= level)
          );
        }
        const path = `${folder}/picture.png`;
        await Deno.writeFile(path, Uint8Array.fromBase64(image.picture));
        assertEquals((await readImage(path)).data, pixels);
      }
    }));
}

Deno.test("a film goes on with the run that was cut, each epoch once", () =>
  withFolder(async (folder) => {
    await run(folder, {
      onEvent: (event) => {
        // The epoch is filmed, but not saved.
        if (event.event === "checkpoint" && event.epoch === 2) {
          throw new TypeError("power cut");
        }
      },
    }).catch((error) => assertMatch(error.message, /power cut/));
    const path = `${folder}/film.jsonl`;
    const before = (await readFilm(folder))!.frames;
    assertEquals(before.map(({ epoch }) => epoch), [0, 1, 2]);
    await Deno.writeTextFile(path, '{"epoch":3,"half a li', { append: true });
    const checkpoint = await readCheckpoint(
      `${folder}/checkpoint.safetensors`,
      { optimiser: true },
    );
    await run(folder, { checkpoint });
    const { frames } = (await readFilm(folder))!;
    assertEquals(frames.map(({ epoch }) => epoch), [0, 1, 2, 3]);
    assertEquals(frames.slice(0, 2), before.slice(0, 2));
  }));

Deno.test("a film that cannot be written ends, and the training does not", () =>
  withFolder(async (folder) => {
    using device = openDevice("cpu", { threads: 1 });
    using network = new Network(device, MODEL);
    using film = await FilmRecorder.create(network, TEST, {
      folder: `${folder}/gone`,
      config: CONFIG,
    });
    const { finished } = await train(network, TRAIN, {
      config: { ...CONFIG, epochs: 1 },
      onEvent: (event) => film.event(event),
    });
    assertEquals(finished, true);
    assertMatch(film.problem!, /^Cannot write .*film\.jsonl: /);
  }));

Deno.test("a film is of as many classes as there are, and of readable images", () => {
  const labels = (...values: number[]) => Int32Array.from(values);
  assertEquals(chosenImages(labels(1, 0, 2, 1), 3), [1, 0, 2, 3]);
  assertEquals(chosenImages(labels(-1, 1, -1), 2), [1]);
  assertEquals(
    chosenImages(Int32Array.from({ length: 1000 }, (_, i) => i % 100), 100),
    [0, 12, 25, 37, 50, 62, 75, 87],
  );
  const { length } = chosenImages(Int32Array.from({ length: 30 }, () => 4), 9);
  assertEquals(length, 8);
});

Deno.test("a network that cannot be explained has no film", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const { sequential, flatten, linear } = await import("../../mod.ts");
  const model = sequential([flatten(), linear(768, 10)]);
  using network = new Network(device, model);
  const images = datasetOf({
    name: "grey",
    split: "test",
    classes: TEST.classes,
    height: 16,
    width: 16,
    channels: 3,
    images: new Uint8Array(768),
    labels: [0],
  });
  let message = "";
  await FilmRecorder.create(network, images, { folder: "", config: CONFIG })
    .catch((error) => message = error.message);
  assertMatch(message, /^Cannot explain the network/);
});
