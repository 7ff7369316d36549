import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Dataset,
  findLearningRate,
  GapcamError,
  Network,
  openDevice,
  shapesDataset,
  trainingConfig,
  vgg,
} from "../../mod.ts";
import { valley } from "../../src/train/find_learning_rate.ts";
import { learningRateChart } from "../../src/train/learning_rate_chart.ts";

const SHAPES: Dataset = shapesDataset("train", { size: 16, length: 60 });
const MODEL = vgg([4, "M", 8], { classes: 10, batchNorm: true });
const CONFIG = trainingConfig({ imageSize: 16, batchSize: 20 });

Deno.test("valley() is fastai's", () => {
  // What fastai's own function gives for these.
  const losses = Array.from(
    { length: 90 },
    (_, i) =>
      2.3 + 0.01 * Math.sin(3 * i) - 2 / (1 + Math.exp(-(i - 50) / 6)) +
      Math.exp((i - 85) / 3),
  );
  assertEquals(valley(losses), 44);
  assertEquals(valley([5, 4, 3, 2, 1]), 0);
  assertEquals(valley([1, 2, 3, 4]), 0);
  assertEquals(valley([3, 1, 2, 1.5, 1.2, 0.9, 4, 5]), 1);
});

Deno.test("findLearningRate() tries greater rates and greater, suggests one between, and leaves the network as it is", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, MODEL, { seed: 3 });
  const before = network.state();
  const seen: number[] = [];
  const { points, suggestion } = await findLearningRate(network, SHAPES, {
    config: CONFIG,
    least: 1e-5,
    greatest: 1,
    steps: 31,
    onStep: (done) => seen.push(done),
  });
  assertEquals(network.state(), before);
  assertEquals(seen, points.map((_, i) => i + 1));
  points.forEach(({ rate }, i) => {
    assert(Math.abs(Math.log10(rate) - (-5 + i / 6)) < 1e-9, `${i}: ${rate}`);
  });
  assert(points.every(({ loss }) => loss > 0 && loss < 20));
  assert(suggestion >= points[3]!.rate && suggestion <= points.at(-6)!.rate);
});

Deno.test("findLearningRate() ends where the loss has grown, and says so where nothing can be said", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
  const config = trainingConfig({ ...CONFIG, optimiser: "sgd" });
  const { points } = await findLearningRate(network, SHAPES, {
    config,
    greatest: 1e12,
    steps: 60,
  });
  assert(points.length < 60 && points.length > 20, `${points.length}`);
  network.load(
    new Map([...network.state()].map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map(() => NaN) },
    ])),
  );
  const error = await assertRejects(
    () => findLearningRate(network, SHAPES, { config }),
    GapcamError,
    "Cannot find a learning rate: the loss is no number or has grown 4 times " +
      "after 0 steps, expected at least 25",
  );
  assertEquals(error.code, "diverged");
  for (const [least, greatest, steps] of [[0, 1, 50], [1, 1, 50], [1, 2, 9]]) {
    await assertRejects(
      () =>
        findLearningRate(network, SHAPES, {
          ...{ config, least: least!, greatest: greatest!, steps: steps! },
        }),
      GapcamError,
      "Cannot try learning rates from",
    );
  }
});

Deno.test("learningRateChart() draws the curve and marks the suggestion", () => {
  const points = Array.from({ length: 50 }, (_, i) => ({
    rate: 10 ** (-5 + i / 10),
    loss: 2 - Math.sin(i / 20),
  }));
  const { width, height, channels, data } = learningRateChart({
    points,
    suggestion: 1e-3,
  });
  assertEquals([width, height, channels], [800, 500, 3]);
  const columnsOf = (colour: readonly number[]) => {
    const columns = new Set<number>();
    for (let i = 0; i < width * height; i++) {
      if (colour.every((level, c) => data[3 * i + c] === level)) {
        columns.add(i % width);
      }
    }
    return columns;
  };
  // From the axis to the right margin, without a gap.
  const line = columnsOf([31, 91, 168]);
  for (let x = 80; x <= 770; x++) {
    assert(line.has(x) || columnsOf([200, 50, 30]).has(x), `${x}`);
  }
  const place = 80 + Math.round(690 * 2 / 4.9);
  assert(columnsOf([200, 50, 30]).has(place));
  // One point, or one loss for all, is a picture too.
  learningRateChart({ points: points.slice(0, 1), suggestion: 1e-5 });
  learningRateChart({
    points: points.map(({ rate }) => ({ rate, loss: 1 })),
    suggestion: 1e-3,
  });
});
