import { assert, assertEquals, assertThrows } from "@std/assert";
import { BatchLoader, GapcamError, shapesDataset } from "../../../mod.ts";
import { augmentOnThreads } from "../../../src/data/augment/_augment_pool.ts";
import { drawWindow, reflected } from "../../../src/data/augment/_crop.ts";
import { erase } from "../../../src/data/augment/_erase.ts";
import {
  augmentImages,
  isMirrored,
} from "../../../src/data/augment/augment_images.ts";
import {
  type Augmentation,
  augments,
  checkAugmentation,
  isLight,
} from "../../../src/data/augment/augmentation.ts";
import { trivialAugment } from "../../../src/data/augment/_trivial_augment.ts";
import { Random } from "../../../src/random.ts";

const ALL: Augmentation = {
  resizedCrop: 0.4,
  randomCrop: 2,
  padding: "reflect",
  horizontalFlip: "alternating",
  verticalFlip: true,
  trivialAugment: true,
  rotate: 20,
  translate: 0.1,
  zoom: 0.2,
  shear: 10,
  brightness: 0.4,
  contrast: 0.4,
  saturation: 0.4,
  hue: 0.1,
  erase: 0.5,
  fill: [128],
};

const SHAPE = { height: 12, width: 12, channels: 3 };
const COUNT = 40;
const SIZE = 12 * 12 * 3;

function pictures(): Uint8Array {
  const random = new Random(5);
  return Uint8Array.from(
    { length: COUNT * SIZE },
    () => random.integer(256),
  );
}

function augmented(
  indices: number[],
  options: { seed?: number; epoch?: number; augmentation?: Augmentation } = {},
): Uint8Array {
  const { seed = 1, epoch = 0, augmentation = ALL } = options;
  const all = pictures();
  const images = new Uint8Array(indices.length * SIZE);
  indices.forEach((index, i) =>
    images.set(all.subarray(index * SIZE, (index + 1) * SIZE), i * SIZE)
  );
  augmentImages(images, SHAPE, { augmentation, seed, epoch, indices });
  return images;
}

const EVERY = Array.from({ length: COUNT }, (_, i) => i);

Deno.test("augmentImages() goes by seed, epoch and image, wherever an image is", () => {
  const whole = augmented(EVERY);
  const backwards = augmented([...EVERY].reverse());
  for (const i of EVERY) {
    assertEquals(
      backwards.slice((COUNT - 1 - i) * SIZE, (COUNT - i) * SIZE),
      whole.slice(i * SIZE, (i + 1) * SIZE),
    );
  }
  const same = (other: Uint8Array) =>
    EVERY.filter((i) =>
      other.subarray(i * SIZE, (i + 1) * SIZE)
        .every((level, j) => level === whole[i * SIZE + j])
    ).length;
  assertEquals(same(augmented(EVERY, { seed: 2 })), 0);
  assertEquals(same(augmented(EVERY, { epoch: 1 })), 0);
});

Deno.test("augmentOnThreads() gives the bytes of one thread", async () => {
  const expected = augmented(EVERY);
  const images = pictures();
  await augmentOnThreads(images, SHAPE, {
    augmentation: ALL,
    seed: 1,
    epoch: 0,
    indices: Uint32Array.from(EVERY),
  });
  assertEquals(images, expected);
});

Deno.test("BatchLoader changes large batches on threads, to the bytes of small ones", async () => {
  const shapes = shapesDataset("train", { size: 64, length: 32 });
  const read = async (batchSize: number) => {
    const loader = new BatchLoader(shapes, {
      batchSize,
      seed: 3,
      augmentation: ALL,
    });
    const all = new Uint8Array(32 * 64 * 64 * 3);
    let length = 0;
    for await (const { images } of loader.epoch(2)) {
      all.set(images, length);
      length += images.length;
    }
    assertEquals(length, all.length);
    return all;
  };
  // 393,216 bytes a batch, and 49,152.
  assertEquals(await read(32), await read(4));
});

Deno.test("alternating flips mirror one half at first, and each image every second epoch", () => {
  let first = 0;
  for (let index = 0; index < 2000; index++) {
    if (isMirrored(7, 0, index)) first++;
    for (let epoch = 0; epoch < 3; epoch++) {
      assertEquals(
        isMirrored(7, epoch, index),
        !isMirrored(7, epoch + 1, index),
      );
    }
  }
  assert(Math.abs(first - 1000) < 130, `${first}`);
  const flips = { horizontalFlip: "alternating" } as const;
  const before = pictures();
  const one = augmented(EVERY, { augmentation: flips, epoch: 0 });
  const two = augmented(EVERY, { augmentation: flips, epoch: 1 });
  for (const i of EVERY) {
    const [mirrored, straight] = isMirrored(1, 0, i) ? [one, two] : [two, one];
    const at = i * SIZE;
    assertEquals(
      straight.slice(at, at + SIZE),
      before.slice(at, at + SIZE),
    );
    assertEquals(
      [...mirrored.slice(at, at + 3)],
      [...before.slice(at + 33, at + 36)],
    );
  }
});

Deno.test("drawWindow() draws shares and ratios as torchvision does, within the image", () => {
  const random = new Random(1);
  const shares: number[] = [];
  for (let i = 0; i < 3000; i++) {
    const window = drawWindow({ height: 40, width: 60 }, random, 0.2);
    const { top, left, height, width } = window;
    assert(top >= 0 && left >= 0 && top + height <= 40 && left + width <= 60);
    assert(width / height > 0.7 && width / height < 1.42);
    shares.push(height * width / 2400);
  }
  assert(Math.min(...shares) > 0.18 && Math.max(...shares) > 0.85);
  const mean = shares.reduce((sum, one) => sum + one) / shares.length;
  // Large ones often do not fit: torchvision's mean for these is 0.461.
  assert(Math.abs(mean - 0.461) < 0.015, `${mean}`);
  // Nothing fits a line: its middle.
  assertEquals(drawWindow({ height: 1, width: 90 }, random, 1), {
    ...{ top: 0, left: 44, height: 1, width: 1 },
  });
});

Deno.test("erase() covers 2 % to 33 % of an image with the levels given", () => {
  const shares: number[] = [];
  for (let seed = 0; seed < 500; seed++) {
    const data = new Uint8Array(32 * 32 * 3);
    const image = { data, height: 32, width: 32, channels: 3 };
    erase(image, new Random(seed), [1, 2, 3]);
    const covered = data.filter((level) => level === 2).length;
    assertEquals(data.filter((level) => level === 3).length, covered);
    shares.push(covered / 1024);
  }
  assert(Math.min(...shares) > 0.012 && Math.max(...shares) < 0.36);
});

Deno.test("trivialAugment() makes every change, and none at all now and then", () => {
  const before = pictures().subarray(0, SIZE);
  const seen = new Set<string>();
  for (let seed = 0; seed < 400; seed++) {
    const data = before.slice();
    trivialAugment(
      { data, ...SHAPE },
      new Random(seed),
      new Uint8Array(SIZE),
    );
    seen.add(data.join());
  }
  assert(seen.has(before.join()));
  assert(seen.size > 150, `${seen.size}`);
});

Deno.test("reflected() mirrors at both ends without repeating them", () => {
  assertEquals(
    [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5].map((place) => reflected(place, 3)),
    [0, 1, 2, 1, 0, 1, 2, 1, 0, 1],
  );
  assertEquals([-2, 0, 7].map((place) => reflected(place, 1)), [0, 0, 0]);
});

Deno.test("checkAugmentation() names what is wrong", () => {
  for (
    const [value, sentence] of [
      [[], "Cannot augment by []: expected an object"],
      [{ spin: 3 }, "Cannot augment with spin 3: expected no such name, but"],
      [{ rotate: 181 }, "rotate 181: expected a number from 0 to 180"],
      [{ rotate: NaN }, "rotate null: expected a number from 0 to 180"],
      [{ randomCrop: 1.5 }, "expected a whole number from 0 to 4096"],
      [{ horizontalFlip: "yes" }, "one of true, false, alternating"],
      [{ padding: null }, "one of black, reflect"],
      [{ fill: [256] }, "expected levels from 0 to 255"],
      [{ toString: 1 }, "expected no such name"],
    ] as const
  ) {
    assertThrows(() => checkAugmentation(value), GapcamError, sentence);
  }
  checkAugmentation(ALL);
  assertEquals([augments({}), augments({ padding: "reflect" })], [
    false,
    false,
  ]);
  assertEquals([augments({ hue: 0.1 }), augments(ALL)], [true, true]);
  assertEquals(
    [isLight({ randomCrop: 2, horizontalFlip: true }), isLight(ALL)],
    [true, false],
  );
});
