import sharp from "npm:sharp@^0.35.5";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { BatchLoader } from "../../src/data/batch_loader.ts";
import { openFolder } from "../../src/data/folder.ts";
import { openDataset } from "../../src/data/open_dataset.ts";
import { GapcamError } from "../../src/error.ts";
import { encodePng } from "../../src/image/encode_png.ts";
import { fitImage } from "../../src/image/fit_image.ts";
import { testImage } from "../image/_reference.ts";
import { bytes, temporaryFolder, write } from "./_helpers.ts";

/** A PNG of one grey value. */
function grey(value: number, height = 2, width = 2): Uint8Array {
  const data = new Uint8Array(height * width).fill(value);
  return encodePng({ height, width, channels: 1, data });
}

/** Writes grey images; the value of each is in its path's number. */
function fill(folder: string, paths: string[]): void {
  for (const path of paths) {
    write(`${folder}/${path}`, grey(Number(/(\d+)\.\w+$/.exec(path)![1])));
  }
}

/** The grey values of a data set's images, in order. */
async function values(
  dataset: ReturnType<typeof openFolder>,
): Promise<number[]> {
  const { length, height, width } = dataset;
  const target = new Uint8Array(length * height * width * 3);
  await dataset.read(Array.from({ length }, (_, i) => i), target);
  return Array.from(
    { length },
    (_, i) => target[i * height * width * 3]!,
  );
}

Deno.test("openFolder() goes round the classes, finds nested files, leaves others out", async () => {
  using folder = temporaryFolder();
  const { path } = folder;
  fill(path, [
    "train/dog/1.png",
    "train/dog/more/deep/2.PNG",
    "train/cat/3.png",
    "train/cat/4.png",
    "train/cat/5.png",
    "train/.hidden/6.png",
    "train/cat/.7.png",
    "test/dog/8.png",
  ]);
  write(`${path}/train/cat/notes.txt`, bytes(1));
  write(`${path}/train/readme.md`, bytes(1));
  write(`${path}/train/cat/old.heic`, bytes(1));
  using train = openFolder("train", path, { size: 4, workers: 1 });
  assertEquals(train.classes, ["cat", "dog"]);
  assertEquals([...train.labels], [0, 1, 0, 1, 0]);
  assertEquals(await values(train), [3, 1, 4, 2, 5]);
  assertEquals(train.unreadable.map((file) => file.path), [
    `${path}/train/cat/old.heic`,
  ]);
  // A class may lack test images; its number stays.
  using test = openFolder("test", path, { size: 4, workers: 1 });
  assertEquals([...test.labels], [1]);
});

Deno.test("openFolder() follows links, and not for ever", async () => {
  using folder = temporaryFolder();
  const { path } = folder;
  fill(path, ["elsewhere/1.png", "set/train/a/2.png", "set/test/a/3.png"]);
  Deno.symlinkSync(`${path}/elsewhere/1.png`, `${path}/set/train/a/1.png`);
  Deno.symlinkSync(`${path}/elsewhere`, `${path}/set/train/b`);
  Deno.symlinkSync(`${path}/set/train`, `${path}/set/train/a/loop`);
  Deno.symlinkSync(`${path}/nowhere.png`, `${path}/set/train/b/9.png`);
  using dataset = openFolder("train", `${path}/set`, { size: 2, workers: 1 });
  assertEquals(dataset.classes, ["a", "b"]);
  await values(dataset);
  assert(dataset.length < 10);
  assert(dataset.paths.includes(`${path}/set/train/b/1.png`));
  // The link to nothing is found unreadable when it is read.
  assert(dataset.unreadable.length > 0);
  assert(dataset.unreadable.every((file) => file.path.endsWith("/9.png")));
});

Deno.test("openFolder() fits images and makes them RGB", async () => {
  using folder = temporaryFolder();
  // Wide: black, white, black; the middle is white.
  const data = new Uint8Array(8 * 24 * 3);
  for (let row = 0; row < 8; row++) {
    data.fill(255, (row * 24 + 8) * 3, (row * 24 + 16) * 3);
  }
  write(
    `${folder.path}/train/a/1.png`,
    encodePng({ height: 8, width: 24, channels: 3, data }),
  );
  write(`${folder.path}/test/a/1.png`, grey(7));
  using dataset = openFolder("train", folder.path, { size: 8, workers: 1 });
  const image = new Uint8Array(8 * 8 * 3);
  await dataset.read([0], image);
  assertEquals(image, new Uint8Array(8 * 8 * 3).fill(255));
});

Deno.test("openFolder() splits classes by a hash of the names", () => {
  using folder = temporaryFolder();
  const { path } = folder;
  const names = (of: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${of}/${i}.png`);
  fill(path, [...names("a", 20), ...names("b", 10)]);
  const open = (
    split: "train" | "test",
    testFraction?: number,
    seed?: number,
  ) => {
    using dataset = openFolder(split, path, {
      ...(testFraction === undefined ? {} : { testFraction }),
      ...(seed === undefined ? {} : { seed }),
    });
    return dataset;
  };
  const test = open("test"), train = open("train");
  assertEquals([...test.labels].filter((label) => label === 0).length, 4);
  assertEquals([...test.labels].filter((label) => label === 1).length, 2);
  assertEquals(
    [...train.paths, ...test.paths].sort(),
    [...names("a", 20), ...names("b", 10)].map((p) => `${path}/${p}`).sort(),
  );
  assertEquals(open("test").paths, test.paths);
  assert(open("test", 0.2, 5).paths.join() !== test.paths.join());
  assertEquals(open("test", 0.5).length, 15);
  // More files elsewhere move none of the others.
  fill(path, names("c", 10));
  assertEquals(
    open("test").paths.filter((p) => !p.includes("/c/")).sort(),
    test.paths.toSorted(),
  );
  for (const fraction of [0, 1, -1, NaN]) {
    assertThrows(() => open("test", fraction), GapcamError, "between 0 and 1");
  }
});

Deno.test("openFolder() counts unreadable files, and counts them once", async () => {
  using folder = temporaryFolder();
  const { path } = folder;
  fill(path, ["train/a/1.png", "train/a/3.png", "test/a/9.png"]);
  write(`${path}/train/a/2.png`, grey(2).subarray(0, 40));
  write(`${path}/train/a/4.jpg`, bytes());
  for (const cacheBytes of [0, 2 ** 20]) {
    using dataset = openFolder("train", path, {
      size: 2,
      workers: 2,
      cacheBytes,
    });
    const loader = new BatchLoader(dataset, { batchSize: 2 });
    for (let epoch = 0; epoch < 2; epoch++) {
      const labels: number[] = [], firsts: number[] = [];
      for await (const batch of loader.epoch(epoch)) {
        labels.push(...batch.labels);
        firsts.push(batch.images[0]!, batch.images[12]!);
      }
      assertEquals(labels, [0, -1, 0, -1]);
      assertEquals(firsts, [1, 0, 3, 0]);
    }
    assertEquals(
      dataset.unreadable.map((file) => file.path.slice(path.length)),
      ["/train/a/2.png", "/train/a/4.jpg"],
    );
    assert(dataset.unreadable[1]!.reason.includes("found no bytes"));
  }
});

Deno.test("openFolder() with strict stops at an unreadable file", async () => {
  using folder = temporaryFolder();
  fill(folder.path, ["train/a/1.png", "test/a/2.png"]);
  write(`${folder.path}/train/a/0.png`, bytes(1, 2, 3));
  using dataset = openFolder("train", folder.path, {
    size: 2,
    workers: 1,
    strict: true,
  });
  await assertRejects(() => values(dataset), GapcamError, "train/a/0.png");
  write(`${folder.path}/train/a/x.heic`, bytes(1));
  assertThrows(
    () => openFolder("train", folder.path, { strict: true }),
    GapcamError,
    "x.heic: expected a PNG, JPEG, WebP, GIF, AVIF, TIFF or BMP picture",
  );
});

Deno.test("openFolder() keeps decoded images only up to its limit", async () => {
  using folder = temporaryFolder();
  const { path } = folder;
  fill(path, ["train/a/1.png", "train/a/2.png", "test/a/3.png"]);
  // Room for one image of 2 x 2 x 3 bytes.
  using dataset = openFolder("train", path, {
    size: 2,
    workers: 1,
    cacheBytes: 23,
  });
  assertEquals(await values(dataset), [1, 2]);
  fill(path, ["train/a/5.png"]);
  Deno.renameSync(`${path}/train/a/5.png`, `${path}/train/a/1.png`);
  fill(path, ["train/a/6.png"]);
  Deno.renameSync(`${path}/train/a/6.png`, `${path}/train/a/2.png`);
  assertEquals(await values(dataset), [1, 6]);
});

Deno.test("openFolder() reads in any order, twice over, on several threads", async () => {
  using folder = temporaryFolder();
  const paths = Array.from({ length: 150 }, (_, i) => `train/a/${i}.png`);
  fill(folder.path, [...paths, "test/a/0.png"]);
  using dataset = openFolder("train", folder.path, { size: 2, workers: 3 });
  const order = Array.from({ length: 150 }, (_, i) => (i * 77) % 150);
  const expected = order.map((i) =>
    Number(/(\d+)\.png$/.exec(dataset.paths[i]!)![1])
  );
  const read = async (indices: number[]) => {
    const target = new Uint8Array(indices.length * 12);
    await dataset.read(indices, target);
    return indices.map((_, i) => target[i * 12]!);
  };
  // Both at once, the second partly from the cache.
  const [first, second] = await Promise.all([
    read(order),
    read(order.slice(0, 40)),
  ]);
  assertEquals(first, expected);
  assertEquals(second, expected.slice(0, 40));
  assertEquals(await read(order), expected);
});

Deno.test("openFolder() says what is wrong with a folder", () => {
  const cases: [string[], "train" | "test", object, string][] = [
    [[], "train", {}, "found no folders, expected one for each class"],
    [
      ["test/a/1.png"],
      "train",
      {},
      'found the folder "test" without folders of classes to train on',
    ],
    [
      ["train/a/1.png", "test/b/1.png"],
      "test",
      {},
      'the class "b", which is not in',
    ],
    [
      ["train/a/1.png", "test/a/1.png"],
      "train",
      { testFraction: 0.5 },
      "found a split of its own to test on (test), expected none",
    ],
    [["a/1.png"], "test", {}, "found no images for this split"],
    [["a/1.png"], "train", { size: 0 }, "size is 0"],
    [["a/1.png"], "train", { workers: 1.5 }, "workers is 1.5"],
  ];
  for (const [paths, split, options, message] of cases) {
    using folder = temporaryFolder();
    fill(folder.path, paths);
    assertThrows(
      () => openFolder(split, folder.path, options),
      GapcamError,
      message,
    );
  }
  using folder = temporaryFolder();
  fill(folder.path, ["train/a/1.png", "test/a/1.png"]);
  Deno.mkdirSync(`${folder.path}/train/empty`);
  assertThrows(
    () => openFolder("train", folder.path),
    GapcamError,
    'train/empty: found no picture for the class "empty"',
  );
  assertThrows(
    () => openFolder("train", `${folder.path}/none`),
    GapcamError,
    "it does not exist",
  );
});

Deno.test("openDataset() opens folders, and a limit keeps track of unreadable files", async () => {
  using folder = temporaryFolder();
  fill(folder.path, ["a/1.png", "a/2.png", "b/3.png", "b/4.png"]);
  for (const name of ["a", "b"]) {
    for (const i of [1, 2, 3, 4]) {
      write(`${folder.path}/${name}/${i}.png`, bytes(i));
    }
  }
  const dataset = openDataset("folder", "train", {
    dataDir: folder.path,
    size: 2,
    testFraction: 0.5,
    workers: 1,
    limit: 3,
  });
  assertEquals(dataset.length, 3);
  await dataset.read([0, 2], new Uint8Array(24));
  assertEquals([...dataset.labels], [-1, 1, -1]);
  assertEquals(dataset.unreadable?.length, 2);
});

Deno.test("A folder's decoder threads do not keep a process alive", async () => {
  using folder = temporaryFolder();
  fill(folder.path, ["train/a/1.png", "test/a/2.png"]);
  const folderModule = new URL("../../src/data/folder.ts", import.meta.url);
  write(
    `${folder.path}/main.ts`,
    new TextEncoder().encode(`
      import { openFolder } from ${JSON.stringify(folderModule.href)};
      const dataset = openFolder("train", ${
      JSON.stringify(folder.path)
    }, { size: 1 });
      await dataset.read([0], new Uint8Array(3));
      console.log("read");
    `),
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", `${folder.path}/main.ts`],
    stdout: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill(), 60_000);
  const { code, stdout } = await child.output();
  clearTimeout(timer);
  assertEquals(new TextDecoder().decode(stdout), "read\n");
  assertEquals(code, 0);
});

Deno.test("openFolder() fits pictures as the network expects them, transparent pixels on white", async () => {
  const root = Deno.makeTempDirSync();
  try {
    const picture = testImage(40, 30, 3);
    for (const name of ["a", "b"]) {
      for (let i = 0; i < 2; i++) {
        write(`${root}/train/${name}/${i}.png`, encodePng(picture));
      }
    }
    const clear = new Uint8Array(16 * 16 * 4);
    const png = await sharp(clear, {
      raw: { width: 16, height: 16, channels: 4 },
    }).png().toBuffer();
    write(`${root}/train/b/1.png`, new Uint8Array(png));
    const how = { interpolation: "bicubic", cropShare: 0.75 } as const;
    using dataset = openFolder("train", root, { size: 12, workers: 1, ...how });
    const pixels = new Uint8Array(12 * 12 * 3);
    await dataset.read([0], pixels);
    assertEquals(pixels, fitImage(picture, 12, 12, how).data);
    const last = dataset.paths.findIndex((path) => path.endsWith("b/1.png"));
    await dataset.read([last], pixels);
    assertEquals(pixels, new Uint8Array(12 * 12 * 3).fill(255));
    assertThrows(
      () => openFolder("train", root, { cropShare: 2 }),
      GapcamError,
      "Cannot fit image: found a crop share of 2",
    );
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});
