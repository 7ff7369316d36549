import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import { BatchLoader } from "../../../src/data/batch_loader.ts";
import {
  beta,
  checkMixing,
  cutImages,
  mixBatch,
  mixImages,
} from "../../../src/data/augment/mix.ts";
import { shapesDataset } from "../../../src/data/shapes_dataset.ts";
import { GapcamError } from "../../../src/error.ts";
import { Random } from "../../../src/random.ts";
import { images, labels } from "../../nn/_hashed.ts";

interface Fixture {
  classes: number;
  count: number;
  height: number;
  width: number;
  channels: number;
  cases: {
    kind: "mixup" | "cutmix";
    seed: number;
    share: number;
    box?: { left: number; top: number; right: number; bottom: number };
    images: number[];
    targets: number[];
  }[];
}

const fixture: Fixture = JSON.parse(
  await Deno.readTextFile(
    new URL("../../fixtures/data/mixing.json", import.meta.url),
  ),
);

Deno.test("mixup and cutmix make torchvision's images and targets", () => {
  const { count, classes, height, width, channels } = fixture;
  for (const { kind, seed, share, box, ...expected } of fixture.cases) {
    const batch = {
      images: images(count * height * width * channels, seed),
      targets: new Float32Array(count * classes),
      shape: { height, width, channels },
    };
    labels(count, classes, seed + 1).forEach((label, i) =>
      batch.targets[i * classes + label] = 1
    );
    if (kind === "mixup") mixImages(batch, share);
    else cutImages(batch, box!);
    expected.images.forEach((value, i) =>
      assert(
        Math.abs(batch.images[i]! - value) <= 0.501,
        `${kind} ${seed}: [${i}] is ${batch.images[i]}, not ${value}`,
      )
    );
    expected.targets.forEach((value, i) =>
      assertAlmostEquals(batch.targets[i]!, value, 1e-6)
    );
  }
});

Deno.test("shares are of the beta distribution", () => {
  for (const alpha of [0.2, 1, 4]) {
    const random = new Random(3);
    let sum = 0, squares = 0;
    const draws = 20000;
    for (let i = 0; i < draws; i++) {
      const share = beta(random, alpha);
      assert(share >= 0 && share <= 1);
      sum += share;
      squares += (share - 0.5) ** 2;
    }
    assertAlmostEquals(sum / draws, 0.5, 0.01);
    // Its variance.
    const variance = 1 / (4 * (2 * alpha + 1));
    assertAlmostEquals(squares / draws / variance, 1, 0.05);
  }
  // So small that a gamma variate is 0.
  const shares = Array.from(
    { length: 50 },
    (_, i) => beta(new Random(i), 1e-5),
  );
  assert(shares.every((share) => share >= 0 && share <= 1));
});

Deno.test("a batch is mixed as its seed, epoch and number say", async () => {
  const dataset = shapesDataset("train", { size: 16, length: 40 });
  const batches = async (startStep: number, seed: number, epoch: number) => {
    const loader = new BatchLoader(dataset, {
      batchSize: 10,
      ...{ shuffle: true, seed },
      mixing: { mixup: 0.4, cutmix: 1 },
    });
    const found: string[] = [];
    for await (
      const { images, targets } of loader.epoch(epoch, { startStep })
    ) {
      assertEquals(targets!.length, 100);
      for (let i = 0; i < 10; i++) {
        const row = targets!.subarray(10 * i, 10 * i + 10);
        assertAlmostEquals(row.reduce((sum, x) => sum + x, 0), 1, 1e-6);
      }
      found.push(`${images.join()} ${targets!.join()}`);
    }
    return found;
  };
  const whole = await batches(0, 5, 1);
  assertEquals(await batches(2, 5, 1), whole.slice(2));
  assert((await batches(0, 5, 2))[0] !== whole[0]);
  assert((await batches(0, 6, 1))[0] !== whole[0]);
});

Deno.test("an image that could not be read is mixed with none", () => {
  const batch = {
    images: Uint8Array.of(100, 0, 200),
    targets: Float32Array.of(1, 0, -1, -1, 0, 1),
    shape: { height: 1, width: 1, channels: 1 },
  };
  mixImages(batch, 0.75);
  // The first took a quarter of the last; the last has the unreadable before it.
  assertEquals([...batch.images], [125, 0, 200]);
  assertEquals([...batch.targets], [0.75, 0.25, -1, -1, 0, 1]);
});

Deno.test("both kinds of mixing are taken where both are asked for", () => {
  const kinds = new Set<string>();
  for (let step = 0; step < 20; step++) {
    const batch = {
      images: new Uint8Array(2 * 64).fill(200, 0, 64),
      targets: Float32Array.of(1, 0, 0, 1),
      shape: { height: 8, width: 8, channels: 1 },
    };
    mixBatch(batch, {
      mixing: { mixup: 1, cutmix: 1 },
      ...{ seed: 0, epoch: 0, step },
    });
    const values = new Set(batch.images.subarray(0, 64));
    kinds.add([...values].some((x) => x > 0 && x < 200) ? "mixup" : "cutmix");
  }
  assertEquals(kinds.size, 2);
});

Deno.test("checkMixing() refuses what is no parameter", () => {
  for (const mixing of [{ mixup: -1 }, { cutmix: NaN }, { mixup: 101 }]) {
    assertThrows(
      () => checkMixing(mixing),
      GapcamError,
      "expected a number from 0 to 100",
    );
  }
});
