import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import {
  BatchLoader,
  type BatchLoaderOptions,
} from "../../src/data/batch_loader.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { datasetOf } from "../../src/data/dataset_of.ts";

/** Images of 2 x 3 x 1 whose bytes are their number; read() takes a while. */
function numbered(length: number): Dataset {
  return {
    name: "numbered",
    split: "train",
    classes: ["even", "odd"],
    length,
    height: 2,
    width: 3,
    channels: 1,
    labels: Int32Array.from({ length }, (_, i) => i % 2),
    async read(indices, target) {
      for (let i = 0; i < indices.length; i++) {
        await Promise.resolve();
        target.fill(indices[i]!, i * 6, (i + 1) * 6);
      }
    },
  };
}

async function epochOf(
  options: BatchLoaderOptions & { length?: number },
  epoch: number,
  startStep = 0,
) {
  const loader = new BatchLoader(numbered(options.length ?? 10), options);
  const batches = [];
  for await (const batch of loader.epoch(epoch, { startStep })) {
    batches.push({
      step: batch.step,
      count: batch.count,
      images: batch.images.slice(),
      labels: [...batch.labels],
      indices: [...batch.indices],
    });
  }
  return batches;
}

Deno.test("BatchLoader cuts in order, and the last batch is short", async () => {
  const batches = await epochOf({ batchSize: 4 }, 0);
  assertEquals(batches.map((batch) => batch.count), [4, 4, 2]);
  assertEquals(batches.map((batch) => batch.step), [0, 1, 2]);
  assertEquals(batches[1]!.indices, [4, 5, 6, 7]);
  assertEquals(batches[2]!.labels, [0, 1]);
  assertEquals(
    [...batches[2]!.images],
    [8, 9].flatMap((value) => new Array<number>(6).fill(value)),
  );
});

Deno.test("BatchLoader with dropLast leaves out the short batch", async () => {
  const batches = await epochOf({ batchSize: 4, dropLast: true }, 0);
  assertEquals(batches.map((batch) => batch.count), [4, 4]);
});

Deno.test("BatchLoader shuffles by seed and epoch, each image once", async () => {
  const options = { batchSize: 5, shuffle: true, length: 50 };
  const order = async (seed: number, epoch: number) =>
    (await epochOf({ ...options, seed }, epoch)).flatMap((b) => b.indices);
  const first = await order(1, 0);
  assertEquals(first, await order(1, 0));
  const others = [await order(1, 1), await order(2, 0)];
  for (const other of others) {
    assert(other.join() !== first.join());
    assertEquals(
      other.toSorted((a, b) => a - b),
      Array.from({ length: 50 }, (_, i) => i),
    );
  }
});

Deno.test("BatchLoader that balances shows each class as often, small ones again and with other changes", async () => {
  const labels = Array.from(
    { length: 60 },
    (_, i) => i < 48 ? 0 : i < 57 ? 1 : 2,
  );
  const dataset = datasetOf({
    images: Uint8Array.from({ length: 60 * 16 }, (_, i) => i % 251),
    labels,
    classes: ["many", "some", "few"],
    height: 4,
    width: 4,
    channels: 1,
  });
  const loader = new BatchLoader(dataset, {
    batchSize: 7,
    seed: 3,
    balance: true,
    augmentation: { randomCrop: 2 },
  });
  const epochOf = async (epoch: number, startStep = 0) => {
    const shown: { index: number; label: number; image: string }[] = [];
    for await (const batch of loader.epoch(epoch, { startStep })) {
      batch.indices.forEach((index, i) => {
        const image = batch.images.subarray(16 * i, 16 * i + 16).join();
        shown.push({ index, label: batch.labels[i]!, image });
      });
    }
    return shown;
  };
  const shown = await epochOf(0);
  const counts = [0, 1, 2].map((label) =>
    shown.filter((one) => one.label === label).length
  );
  assertEquals(counts, [20, 20, 20]);
  // Each of the few six or seven times, and not the same way each time.
  for (const index of [57, 58, 59]) {
    const images = shown.filter((one) => one.index === index);
    assert(images.length === 6 || images.length === 7);
    assert(new Set(images.map(({ image }) => image)).size > 2);
  }
  const many = shown.filter(({ label }) => label === 0);
  assertEquals(new Set(many.map(({ index }) => index)).size, 20);
  assertEquals(await epochOf(0), shown);
  assertEquals(await epochOf(0, 3), shown.slice(21));
  assert(JSON.stringify(await epochOf(1)) !== JSON.stringify(shown));
});

Deno.test("BatchLoader taken up in the middle gives the same bytes", async () => {
  const options = {
    batchSize: 4,
    shuffle: true,
    seed: 9,
    augmentation: { horizontalFlip: true, randomCrop: 2 },
    length: 31,
  };
  const whole = await epochOf(options, 3);
  for (const startStep of [0, 1, 5, 7, 8]) {
    assertEquals(await epochOf(options, 3, startStep), whole.slice(startStep));
  }
});

Deno.test("BatchLoader augments an image by seed, epoch and image, wherever it comes", async () => {
  const augmentation = { randomCrop: 2 };
  async function images(batchSize: number, shuffle: boolean) {
    const batches = await epochOf(
      { batchSize, shuffle, augmentation, length: 24 },
      2,
    );
    const byIndex: Record<number, string> = {};
    for (const { indices, images } of batches) {
      indices.forEach((index, i) =>
        byIndex[index] = images.subarray(i * 6, i * 6 + 6).join()
      );
    }
    return byIndex;
  }
  const expected = await images(24, false);
  assertEquals(await images(5, true), expected);
  assert(Object.values(expected).some((image) => image.includes("0")));
});

Deno.test("BatchLoader keeps a batch whole while the next one is prepared", async () => {
  const loader = new BatchLoader(numbered(40), { batchSize: 4 });
  for await (const batch of loader.epoch(0)) {
    const before = batch.images.slice();
    await new Promise((resolve) => setTimeout(resolve, 2));
    assertEquals(batch.images, before);
    assertEquals(batch.images[0], batch.indices[0]);
  }
});

Deno.test("BatchLoader prepares the next batch before it is asked for", async () => {
  const read: number[] = [];
  const dataset = numbered(12);
  const loader = new BatchLoader({
    ...dataset,
    read(indices, target) {
      read.push(indices[0]!);
      return dataset.read(indices, target);
    },
  }, { batchSize: 4 });
  const epoch = loader.epoch(0);
  await epoch.next();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(read, [0, 4]);
  await epoch.return();
});

Deno.test("BatchLoader left early serves a clean next epoch", async () => {
  const loader = new BatchLoader(numbered(40), { batchSize: 4 });
  for (let epoch = 0; epoch < 5; epoch++) {
    for await (const batch of loader.epoch(epoch)) {
      assertEquals(batch.images[0], batch.indices[0]);
      if (batch.step === epoch) break;
    }
  }
  for await (const batch of loader.epoch(5)) {
    assertEquals(
      [...batch.images],
      [...batch.indices].flatMap((index) => new Array<number>(6).fill(index)),
    );
  }
});

Deno.test("BatchLoader uses the same buffers again", async () => {
  const loader = new BatchLoader(numbered(80), { batchSize: 4 });
  const buffers = new Set<ArrayBufferLike>();
  for await (const batch of loader.epoch(0)) buffers.add(batch.images.buffer);
  assertEquals(buffers.size, 3);
});

Deno.test("BatchLoader passes a read failure to the consumer", async () => {
  const dataset = numbered(12);
  const loader = new BatchLoader({
    ...dataset,
    async read(indices, target) {
      if (indices[0] === 4) throw new GapcamError("io", "Cannot read it");
      await dataset.read(indices, target);
    },
  }, { batchSize: 4 });
  const steps: number[] = [];
  await assertRejects(
    async () => {
      for await (const batch of loader.epoch(0)) steps.push(batch.step);
    },
    GapcamError,
    "Cannot read it",
  );
  assertEquals(steps, [0]);
});

Deno.test("BatchLoader rejects numbers out of range", async () => {
  for (
    const [options, message] of [
      [{ batchSize: 0 }, "batches of 0 images"],
      [{ batchSize: 2.5 }, "batches of 2.5 images"],
      [{ batchSize: 11 }, "numbered (train) has only 10; use a smaller batch"],
      [
        { batchSize: 2, augmentation: { randomCrop: -1 } },
        "Cannot augment with randomCrop -1: expected a whole number from 0",
      ],
    ] as const
  ) {
    assertThrows(
      () => new BatchLoader(numbered(10), options),
      GapcamError,
      message,
    );
  }
  await assertRejects(
    () => epochOf({ batchSize: 4 }, 0, 4),
    GapcamError,
    "start an epoch at step 4: expected 0 to 3",
  );
});
