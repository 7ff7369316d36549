import { assert, assertEquals } from "@std/assert";
import {
  Network,
  openDevice,
  readRunLog,
  shapesDataset,
  train,
  trainingConfig,
  vgg,
} from "../../mod.ts";
import { tensorHistogram } from "../../src/train/tensor_histogram.ts";

Deno.test("tensorHistogram() counts every value once, also at the ends", () => {
  const values = Float32Array.from({ length: 3001 }, (_, i) => i / 1500 - 1);
  const { least, greatest, counts, sum, sumOfSquares, notFinite } =
    tensorHistogram(values);
  assertEquals([least, greatest, notFinite], [-1, 1, 0]);
  assertEquals(counts.length, 30);
  assertEquals(counts.reduce((all, count) => all + count), 3001);
  // The last bin has its end too.
  assertEquals(counts.at(-1), 101);
  assertEquals(sum, values.reduce((all, value) => all + value, 0));
  assertEquals(
    sumOfSquares,
    values.reduce((all, value) => all + value * value, 0),
  );
});

Deno.test("tensorHistogram() takes constant, empty and broken tensors", () => {
  const common = { sum: 0, sumOfSquares: 0 };
  assertEquals(tensorHistogram(new Float32Array(5)), {
    ...{ least: 0, greatest: 0, ...common, notFinite: 0, counts: [5] },
  });
  assertEquals(tensorHistogram(new Float32Array()), {
    ...{ least: 0, greatest: 0, ...common, notFinite: 0, counts: [] },
  });
  assertEquals(tensorHistogram(Float32Array.of(NaN, -Infinity)), {
    ...{ least: 0, greatest: 0, ...common, notFinite: 2, counts: [] },
  });
  const { least, greatest, notFinite, counts } = tensorHistogram(
    Float32Array.of(2, Infinity, 4),
  );
  assertEquals([least, greatest, notFinite], [2, 4, 1]);
  assertEquals([counts[0], counts.at(-1)], [1, 1]);
  // The greatest numbers that there are: their difference is none in 32 bits.
  const large = tensorHistogram(Float32Array.of(-3e38, 3e38));
  assertEquals([large.counts[0], large.counts.at(-1)], [1, 1]);
});

Deno.test("histograms of an epoch are logged where they are asked for, and change no byte", async () => {
  const folder = await Deno.makeTempDir();
  const bytes = async (histograms: boolean) => {
    using device = openDevice("cpu", { threads: 1 });
    using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
    const images = shapesDataset("train", { size: 16, length: 40 });
    const path = `${folder}/${histograms}`;
    await train(network, images, {
      config: trainingConfig({ imageSize: 16, batchSize: 20, epochs: 2 }),
      folder: path,
      histograms,
    });
    const logged = readRunLog(`${path}/log.jsonl`)
      .filter(({ event }) => event === "histograms");
    return {
      file: await Deno.readFile(`${path}/checkpoint.safetensors`),
      logged,
    };
  };
  const without = await bytes(false), asked = await bytes(true);
  assertEquals(asked.file, without.file);
  assertEquals(without.logged, []);
  assertEquals(asked.logged.length, 2);
  for (const [i, event] of asked.logged.entries()) {
    assert(event.event === "histograms");
    assertEquals([event.epoch, event.step], [i + 1, 2 * (i + 1)]);
    assertEquals(Object.keys(event.parameters), Object.keys(event.gradients));
    const { counts } = event.parameters["features.0.weight"]!;
    assertEquals(counts.reduce((all, count) => all + count), 4 * 3 * 9);
    const gradient = event.gradients["classifier.weight"]!;
    assert(gradient.sumOfSquares > 0 && gradient.notFinite === 0);
  }
  await Deno.remove(folder, { recursive: true });
});
