import { assertEquals, assertThrows } from "@std/assert";
import {
  datasetOf,
  GapcamError,
  openDataset,
  validationSplit,
} from "../../mod.ts";
import { subset } from "../../src/data/subset.ts";

/** Images of one pixel, each its own number. */
function dataset(labels: number[], classes = ["a", "b"]) {
  return datasetOf({
    images: Uint8Array.from(labels, (_, i) => i),
    labels,
    classes,
    height: 1,
    width: 1,
    channels: 1,
  });
}

async function pixels(of: ReturnType<typeof dataset>): Promise<number[]> {
  const target = new Uint8Array(of.length);
  await of.read(Array.from({ length: of.length }, (_, i) => i), target);
  return [...target];
}

const UNEVEN = dataset(Array.from({ length: 50 }, (_, i) => i < 40 ? 0 : 1));

Deno.test("validationSplit() holds the same part of each class out, and shares nothing", async () => {
  const { train, validation } = validationSplit(UNEVEN, { fraction: 0.2 });
  const counts = (labels: Int32Array) =>
    [0, 1].map((label) => labels.filter((one) => one === label).length);
  assertEquals(counts(train.labels), [32, 8]);
  assertEquals(counts(validation.labels), [8, 2]);
  assertEquals(validation.split, "validation");
  const both = [...await pixels(train), ...await pixels(validation)];
  assertEquals(
    both.sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  );
});

Deno.test("validationSplit() goes by the seed alone", async () => {
  const held = async (seed: number) =>
    await pixels(validationSplit(UNEVEN, { fraction: 0.2, seed }).validation);
  assertEquals(await held(1), await held(1));
  assertEquals(
    JSON.stringify(await held(1)) === JSON.stringify(await held(2)),
    false,
  );
});

Deno.test("validationSplit() takes at least one image of a class and leaves one", () => {
  const small = dataset([0, 0, 0, 1, 1, -1]);
  for (const fraction of [0.01, 0.99]) {
    const { train, validation } = validationSplit(small, { fraction });
    for (const { labels } of [train, validation]) {
      assertEquals(
        [...new Set(labels)].filter((label) => label >= 0).length,
        2,
      );
    }
  }
});

Deno.test("validationSplit() refuses a class of one image, and fractions that are none", () => {
  assertThrows(
    () => validationSplit(dataset([0, 0, 1]), { fraction: 0.5 }),
    GapcamError,
    "Cannot hold 0.5 of the training images out: found a single image of b, " +
      "expected one to train on and one to validate on",
  );
  for (const fraction of [0, 1, NaN]) {
    assertThrows(
      () => validationSplit(UNEVEN, { fraction }),
      GapcamError,
      "expected a number above 0 and below 1",
    );
  }
});

Deno.test("subset() learns which images were found unreadable", async () => {
  const whole = dataset([0, 1, 0, 1]);
  const part = subset({
    ...whole,
    labels: whole.labels,
    length: 4,
    read: (indices, target) => {
      whole.labels[2] = -1;
      return whole.read(indices, target);
    },
  }, [1, 2]);
  assertEquals([...part.labels], [1, 0]);
  assertEquals(await pixels(part), [1, 2]);
  assertEquals([...part.labels], [1, -1]);
});

Deno.test("openDataset() has a validation split of folders alone", () => {
  assertThrows(
    () => openDataset("shapes", "validation"),
    GapcamError,
    "Cannot open images of shapes for validation: it has none of its own",
  );
});

Deno.test("validationSplit() keeps targets, and leaves some of each label to train on", () => {
  const targets = Array.from({ length: 40 }, (_, i) => Number(i % 4 < 2));
  const options = { classes: ["sun", "sea"], height: 1, width: 1 } as const;
  const dataset = datasetOf({
    ...options,
    ...{ images: new Uint8Array(20), targets, channels: 1 },
  });
  const { train, validation } = validationSplit(dataset, { fraction: 0.25 });
  assertEquals([train.length, validation.length], [15, 5]);
  assertEquals([train.targets!.length, validation.targets!.length], [30, 10]);
  // One image alone shows the sea, and the seed decides where it goes.
  const rare = datasetOf({
    ...options,
    ...{ images: new Uint8Array(4), channels: 1 },
    targets: [1, 0, 1, 0, 1, 1, 1, 0],
  });
  const outcomes = Array.from({ length: 20 }, (_, seed) => {
    try {
      validationSplit(rare, { fraction: 0.5, seed });
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  });
  assertEquals(
    new Set(outcomes),
    new Set([
      "",
      "Cannot hold 0.5 of the training images out: found no image of sea left, " +
      "expected one to train on; use another fraction or seed",
    ]),
  );
});
