import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Dataset,
  type DatasetArrays,
  datasetOf,
  evaluate,
  GapcamError,
  Network,
  openDevice,
  readCheckpoint,
  train,
  trainingConfig,
  vgg,
} from "../../mod.ts";
import { describeImbalance } from "../../src/data/class_balance.ts";

/** Four images of 2 x 2. */
const ARRAYS: DatasetArrays = {
  images: Uint8Array.from({ length: 16 }, (_, i) => i),
  labels: [0, 1, 0, 1],
  classes: ["a", "b"],
  height: 2,
  width: 2,
  channels: 1,
};

Deno.test("datasetOf() makes a data set of arrays, without copying pixels", async () => {
  const dataset = datasetOf({ ...ARRAYS, labels: [0, -1, 1, 1] });
  assertEquals([dataset.name, dataset.split], ["custom", "train"]);
  assertEquals([...dataset.labels], [0, -1, 1, 1]);
  const target = new Uint8Array(8);
  await dataset.read([3, 0], target);
  assertEquals([...target], [12, 13, 14, 15, 0, 1, 2, 3]);
  const images = new Uint8ClampedArray(24);
  const rgb = datasetOf({
    ...{ images, labels: [1, 0], classes: ["a", "b"], height: 2, width: 2 },
    ...{ name: "mine", split: "test" },
  });
  assertEquals([rgb.name, rgb.split, rgb.channels], ["mine", "test", 3]);
  images[12] = 9;
  const image = new Uint8Array(12);
  await rgb.read([1], image);
  assertEquals(image[0], 9);
});

Deno.test("datasetOf() refuses arrays that do not fit each other", () => {
  const cases: [Partial<DatasetArrays>, string][] = [
    [
      { labels: [0, 5, 0, 1] },
      "label 5 of image 1, expected a class from 0 to 1",
    ],
    [{ labels: [0, 0.5, 0, 1] }, "label 0.5 of image 1"],
    [{ labels: [0, 1, -2, 1] }, "label -2 of image 2"],
    [{ labels: [0, 1, NaN, 1] }, "label NaN of image 2"],
    [
      { labels: [0, 1] },
      "found 16 bytes of images, expected 2 x 2 x 2 x 1 = 8",
    ],
    [{ labels: [] }, "found length 0"],
    [{ classes: [] }, "found no classes"],
    [{ height: 0 }, "found height 0"],
    [{ width: 1.5 }, "found width 1.5"],
    [{ channels: 4 as 3 }, "found 4 channels, expected 1 (grey) or 3 (RGB)"],
    [{ channels: 3 }, "found 16 bytes of images, expected 4 x 2 x 2 x 3 = 48"],
  ];
  for (const [change, message] of cases) {
    const error = assertThrows(
      () => datasetOf({ ...ARRAYS, ...change }),
      GapcamError,
      message,
    );
    assertEquals(error.code, "bad-data");
  }
});

/** A data set of one's own, wrong in one way. */
function own(change: Partial<Dataset>): Dataset {
  return {
    ...{ name: "mine", split: "train", classes: ["a", "b"], length: 4 },
    ...{ height: 8, width: 8, channels: 1 },
    labels: Int32Array.of(0, 1, 0, 1),
    read: (indices, target) => {
      target.fill(7, 0, 64 * indices.length);
    },
    ...change,
  };
}

Deno.test("train() and evaluate() check a data set of one's own before they use it", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(
    device,
    vgg([4, "M", 8], { classes: 2, inputChannels: 1 }),
  );
  const config = trainingConfig({ imageSize: 8, batchSize: 2, epochs: 1 });
  const cases: [Partial<Dataset>, string][] = [
    [{ labels: Int32Array.of(0, 5, 0, 1) }, "found label 5 of image 1"],
    [{ labels: Int32Array.of(0, 1) }, "found 2 labels for 4 images"],
    [{ labels: Int32Array.of(0, 1, 0, 1, 0) }, "found 5 labels for 4 images"],
    [{ length: 0, labels: new Int32Array() }, "found length 0"],
    [{ height: -8 }, "found height -8"],
  ];
  for (const [change, message] of cases) {
    const whole = `Cannot use data set mine (train): ${message}`;
    await assertRejects(
      () => train(network, own(change), { config }),
      GapcamError,
      whole,
    );
    await assertRejects(
      () => evaluate(network, own(change)),
      GapcamError,
      whole,
    );
  }
  const result = await train(network, own({}), { config });
  assertEquals(result.steps, 2);
});

Deno.test("train() refuses one class, which evaluate() takes", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(
    device,
    vgg([4, "M", 8], { classes: 1, inputChannels: 1 }),
  );
  const one = own({ classes: ["cat"], labels: new Int32Array(4) });
  const config = trainingConfig({ imageSize: 8, batchSize: 2, epochs: 1 });
  await assertRejects(
    () => train(network, one, { config }),
    GapcamError,
    'found one class alone, "cat", expected at least 2, to tell from each other',
  );
  assertEquals((await evaluate(network, one)).images, 4);
});

Deno.test("grey images train, are tested and kept with what a configuration leaves out", async () => {
  const folder = await Deno.makeTempDir();
  try {
    using device = openDevice("cpu", { threads: 1 });
    for (const channels of [1, 3] as const) {
      using network = new Network(
        device,
        vgg([4, "M", 8], { classes: 2, inputChannels: channels }),
      );
      const config = trainingConfig({ imageSize: 8, batchSize: 2, epochs: 1 });
      const dataset = own({
        channels,
        read: (indices, target) => {
          target.fill(7, 0, 64 * channels * indices.length);
        },
      });
      const kept = `${folder}/${channels}`;
      await train(network, dataset, { config, folder: kept });
      const { mean, deviation } = config;
      await evaluate(network, dataset, { mean, deviation });
      const { training } = await readCheckpoint(
        `${kept}/checkpoint.safetensors`,
      );
      assertEquals(training.mean, Array(channels).fill(0.5));
      assertEquals(training.deviation, Array(channels).fill(0.5));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("describeImbalance() names the smallest and the largest class", () => {
  const counted = (counts: number[], unread = 0) => {
    const labels = counts.flatMap((count, label) =>
      Array<number>(count).fill(label)
    ).concat(Array<number>(unread).fill(-1));
    const images = new Uint8Array(labels.length);
    const classes = counts.map((_, i) => `class ${i}`);
    return describeImbalance(
      datasetOf({ images, labels, classes, height: 1, width: 1, channels: 1 }),
    );
  };
  assertEquals(counted([10, 1]), undefined);
  assertEquals(
    counted([5, 3000, 20], 7),
    "Classes are uneven: class 1 has 3000 images (99.2 % of all), class 0 5",
  );
  assertEquals(
    counted([4, 0]),
    "Classes are uneven: class 0 has 4 images (100.0 % of all), class 1 0",
  );
});

Deno.test("datasetOf() takes targets in place of labels, and refuses what fits no image", () => {
  const base = {
    ...{ images: new Uint8Array(2), classes: ["sun", "sea"] },
    ...{ height: 1, width: 1, channels: 1 as const },
  };
  const dataset = datasetOf({ ...base, targets: [0, 1, 0, 0] });
  assertEquals([...dataset.labels], [1, 0]);
  assertEquals([...dataset.targets!], [0, 1, 0, 0]);
  for (
    const [wrong, sentence] of [
      [{}, "found neither labels nor targets, expected one of them"],
      [
        { labels: [0, 1], targets: [0, 1, 0, 0] },
        "found both labels and targets, expected one of them",
      ],
      [
        { targets: [0, 1, 2, 0] },
        "found target 2 of image 1, expected a number",
      ],
      [{ targets: [0, 1, 0] }, "found 3 targets for 2 images of 2 classes"],
    ] as const
  ) {
    assertThrows(() => datasetOf({ ...base, ...wrong }), GapcamError, sentence);
  }
});
