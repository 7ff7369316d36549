import { assert, assertEquals, assertThrows } from "@std/assert";
import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { GapcamError } from "../../src/error.ts";
import { FETCHABLE_DATASETS } from "../../src/data/fetch_dataset.ts";
import { type DatasetName, openDataset } from "../../src/data/open_dataset.ts";
import { bytes, idx, temporaryFolder, write } from "./_helpers.ts";

const STL10_IMAGE = 3 * 96 * 96;

/** An STL-10 image whose pixel (row, column) of channel c is known. */
function stl10Image(pixel: (c: number, row: number, column: number) => number) {
  const image = new Uint8Array(STL10_IMAGE);
  for (let c = 0; c < 3; c++) {
    for (let row = 0; row < 96; row++) {
      for (let column = 0; column < 96; column++) {
        image[(c * 96 + column) * 96 + row] = pixel(c, row, column);
      }
    }
  }
  return image;
}

Deno.test("openDataset() turns STL-10's columns into interleaved rows", async () => {
  using folder = temporaryFolder();
  const known = (c: number, row: number, column: number) =>
    (c * 101 + row * 7 + column * 3) % 256;
  write(
    `${folder.path}/stl10_binary/test_X.bin`,
    bytes(stl10Image(() => 9), stl10Image(known)),
  );
  write(`${folder.path}/stl10_binary/test_y.bin`, bytes(10, 1));
  const dataset = openDataset("stl10", "test", { dataDir: folder.path });
  assertEquals(dataset.length, 2);
  assertEquals([...dataset.labels], [9, 0]);
  assertEquals(dataset.classes[9], "truck");
  const image = new Uint8Array(STL10_IMAGE);
  await dataset.read([1], image);
  for (let row = 0; row < 96; row++) {
    for (let column = 0; column < 96; column++) {
      for (let c = 0; c < 3; c++) {
        assert(image[(row * 96 + column) * 3 + c] === known(c, row, column));
      }
    }
  }
});

Deno.test("openDataset() reads CIFAR-10's five batches in order", async () => {
  using folder = temporaryFolder();
  for (let batch = 1; batch <= 5; batch++) {
    write(
      `${folder.path}/cifar-10-batches-bin/data_batch_${batch}.bin`,
      bytes(
        batch,
        new Uint8Array(1024).fill(batch),
        new Uint8Array(1024).fill(10 * batch),
        new Uint8Array(1024).fill(50 * batch),
      ),
    );
  }
  const dataset = openDataset("cifar10", "train", { dataDir: folder.path });
  assertEquals([...dataset.labels], [1, 2, 3, 4, 5]);
  const images = new Uint8Array(2 * 3072);
  await dataset.read([4, 0], images);
  assertEquals([...images.subarray(0, 4)], [5, 50, 250, 5]);
  assertEquals([...images.subarray(3072, 3075)], [1, 10, 50]);
});

Deno.test("openDataset() takes CIFAR-100's fine label", async () => {
  using folder = temporaryFolder();
  const pixels = Uint8Array.from({ length: 3072 }, (_, i) => i % 251);
  // No folder cifar-100-binary: the files may also lie at the top.
  write(`${folder.path}/test.bin`, bytes(11, 99, pixels));
  const dataset = openDataset("cifar100", "test", { dataDir: folder.path });
  assertEquals([...dataset.labels], [99]);
  assertEquals(dataset.classes.length, 100);
  assertEquals(dataset.classes[99], "worm");
  const image = new Uint8Array(3072);
  await dataset.read([0], image);
  assertEquals(
    [...image.subarray(3, 6)],
    [pixels[1]!, pixels[1025]!, pixels[2049]!],
  );
});

Deno.test("openDataset() reads IDX files plain and packed", async () => {
  for (const pack of [false, true]) {
    using folder = temporaryFolder();
    const suffix = pack ? ".gz" : "";
    const packed = (data: Uint8Array) => pack ? gzipSync(data) : data;
    write(
      `${folder.path}/train-images-idx3-ubyte${suffix}`,
      packed(idx([2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])),
    );
    write(
      `${folder.path}/train-labels-idx1-ubyte${suffix}`,
      packed(idx([2], [9, 0])),
    );
    const dataset = openDataset("mnist", "train", { dataDir: folder.path });
    assertEquals(
      [dataset.height, dataset.width, dataset.channels],
      [2, 3, 1],
    );
    assertEquals([...dataset.labels], [9, 0]);
    const image = new Uint8Array(6);
    await dataset.read([1], image);
    assertEquals([...image], [7, 8, 9, 10, 11, 12]);
  }
});

Deno.test("openDataset() finds MNIST's files as others name and nest them", () => {
  const images = idx([2, 1, 1], [1, 2]), labels = idx([2], [3, 4]);
  const packed = (data: Uint8Array) => gzipSync(data);
  const layouts: Record<string, (prefix: string) => [string, Uint8Array][]> = {
    "7-Zip": (prefix) => [
      [`${prefix}-images.idx3-ubyte`, images],
      [`${prefix}-labels.idx1-ubyte`, labels],
    ],
    torchvision: (prefix) => [
      [`MNIST/raw/${prefix}-images-idx3-ubyte`, images],
      [`MNIST/raw/${prefix}-images-idx3-ubyte.gz`, packed(images)],
      [`MNIST/raw/${prefix}-labels-idx1-ubyte`, labels],
    ],
    // A folder of the file's name around it, and the file of another.
    Kaggle: (prefix) => [
      [`${prefix}-images-idx3-ubyte/${prefix}-images-idx3-ubyte`, images],
      [`${prefix}-labels-idx1-ubyte/${prefix}-labels-idx1-ubyte`, labels],
      [`${prefix}-images.idx3-ubyte`, images],
    ],
    "packed under a plain name": (prefix) => [
      [`${prefix}-images-idx3-ubyte`, packed(images)],
      [`${prefix}-labels-idx1-ubyte`, packed(labels)],
    ],
    "unpacked on the way": (prefix) => [
      [`${prefix}-images-idx3-ubyte.gz`, images],
      [`${prefix}-labels-idx1-ubyte.gz`, labels],
    ],
    "other words": (prefix) => [
      [`${prefix === "t10k" ? "test" : prefix}/Images.bin`, images],
      [`${prefix === "t10k" ? "test" : prefix}/y.gz`, packed(labels)],
    ],
  };
  for (const [layout, filesOf] of Object.entries(layouts)) {
    using folder = temporaryFolder();
    for (const prefix of ["train", "t10k"]) {
      for (const [name, data] of filesOf(prefix)) {
        write(`${folder.path}/${name}`, data);
      }
    }
    for (const split of ["train", "test"] as const) {
      const dataset = openDataset("mnist", split, { dataDir: folder.path });
      assertEquals([...dataset.labels], [3, 4], layout);
    }
  }
});

Deno.test("openDataset() does not take another set of MNIST's form for the one asked for", () => {
  using folder = temporaryFolder();
  const sets = { "FashionMNIST": 1, "MNIST": 2, "KMNIST": 3 };
  for (const [set, label] of Object.entries(sets)) {
    const raw = `${folder.path}/${set}/raw`;
    for (const prefix of ["train", "t10k"]) {
      write(`${raw}/${prefix}-images-idx3-ubyte`, idx([1, 1, 1], [1]));
      write(`${raw}/${prefix}-labels-idx1-ubyte`, idx([1], [label]));
    }
  }
  for (const [name, label] of [["mnist", 2], ["fashion-mnist", 1]] as const) {
    const dataset = openDataset(name, "train", { dataDir: folder.path });
    assertEquals([...dataset.labels], [label]);
  }
});

Deno.test("openDataset() refuses a folder for what is generated", () => {
  assertThrows(
    () => openDataset("shapes", "train", { dataDir: "photos" }),
    GapcamError,
    "Cannot read shapes from photos: they are generated",
  );
});

Deno.test("openDataset() finds STL-10's and CIFAR's files below their folder", () => {
  for (const below of ["", "stl10_binary/", "stl10/stl10_binary/"]) {
    using folder = temporaryFolder();
    write(`${folder.path}/${below}test_X.bin`, stl10Image(() => 9));
    write(`${folder.path}/${below}test_y.bin`, bytes(2));
    const dataset = openDataset("stl10", "test", { dataDir: folder.path });
    assertEquals([...dataset.labels], [1]);
  }
  for (const below of ["", "cifar-10-binary/cifar-10-batches-bin/"]) {
    using folder = temporaryFolder();
    write(
      `${folder.path}/${below}test_batch.bin`,
      bytes(7, new Uint8Array(3072)),
    );
    const dataset = openDataset("cifar10", "test", { dataDir: folder.path });
    assertEquals([...dataset.labels], [7]);
  }
  using folder = temporaryFolder();
  write(`${folder.path}/cifar-10-batches-py/data_batch_1`, bytes(0x80, 2));
  assertThrows(
    () => openDataset("cifar10", "train", { dataDir: folder.path }),
    GapcamError,
    "it holds the Python version",
  );
});

Deno.test({
  name:
    "openDataset() finds Debian's Fashion-MNIST without a folder (needs the package)",
  ignore: !existsSync("/usr/share/datasets/fashion-mnist") ||
    existsSync("data/fashion-mnist"),
  fn() {
    const dataset = openDataset("fashion-mnist", "test");
    assertEquals(dataset.length, 10_000);
    assertEquals([dataset.height, dataset.width], [28, 28]);
    const counts = new Array<number>(10).fill(0);
    for (const label of dataset.labels) counts[label]!++;
    assertEquals(counts, new Array(10).fill(1000));
  },
});

Deno.test("openDataset() says which command fetches what is missing", () => {
  using folder = temporaryFolder();
  for (const name of FETCHABLE_DATASETS as readonly DatasetName[]) {
    for (const dataDir of [`${folder.path}/none`, folder.path]) {
      const error = assertThrows(
        () => openDataset(name, "train", { dataDir }),
        GapcamError,
        `deno task data ${name}`,
      );
      assertEquals(error.code, "not-found");
      assert(error.message.includes(dataDir), error.message);
    }
  }
  assertThrows(
    () => openDataset("fashion-mnist", "test", { dataDir: folder.path }),
    GapcamError,
    "Debian's package dataset-fashion-mnist",
  );
});

Deno.test("openDataset() says what is wrong with a file", () => {
  const cases: [DatasetName, Record<string, Uint8Array>, string][] = [
    [
      "stl10",
      { "test_X.bin": new Uint8Array(1000), "test_y.bin": bytes(1) },
      "test_X.bin: it has 1000 bytes, expected a multiple of 27648",
    ],
    [
      "stl10",
      { "test_X.bin": bytes(), "test_y.bin": bytes() },
      "test_X.bin: it has 0 bytes",
    ],
    [
      "stl10",
      { "test_X.bin": new Uint8Array(STL10_IMAGE), "test_y.bin": bytes(1, 2) },
      "test_y.bin: it has 2 labels, expected 1",
    ],
    [
      "stl10",
      { "test_X.bin": new Uint8Array(STL10_IMAGE), "test_y.bin": bytes(0) },
      "label 0 of image 0 is out of range, expected 1 to 10",
    ],
    [
      "cifar10",
      { "test_batch.bin": new Uint8Array(3072) },
      "test_batch.bin: it has 3072 bytes, expected a multiple of 3073",
    ],
    [
      "cifar10",
      { "test_batch.bin": bytes(10, new Uint8Array(3072)) },
      "label 10 of image 0 is out of range, expected 0 to 9",
    ],
    [
      "cifar100",
      { "test.bin": bytes(0, 100, new Uint8Array(3072)) },
      "label 100 of image 0 is out of range, expected 0 to 99",
    ],
    [
      "mnist",
      {
        "t10k-images-idx3-ubyte": bytes(1, 2, 3, 4, 5),
        "t10k-labels-idx1-ubyte": idx([1], [0]),
      },
      "magic number 0x01020304, expected 0x000008NN",
    ],
    [
      "mnist",
      {
        "t10k-images-idx3-ubyte": idx([4], [1, 2, 3, 4]),
        "t10k-labels-idx1-ubyte": idx([1], [0]),
      },
      "found shape [4], expected [images, height, width]",
    ],
    [
      "mnist",
      {
        "t10k-images-idx3-ubyte": idx([1, 1, 1], [1]),
        "t10k-labels-idx1-ubyte": idx([2], [0, 1]),
      },
      "found shape [2], expected [1], one label for each image",
    ],
    [
      "fashion-mnist",
      {
        "t10k-images-idx3-ubyte": idx([1, 1, 1], [1]),
        "t10k-labels-idx1-ubyte": idx([1], [77]),
      },
      "label 77 of image 0 is out of range, expected 0 to 9",
    ],
    [
      "mnist",
      {
        "t10k-images-idx3-ubyte.gz": gzipSync(idx([1, 1, 1], [1])).subarray(
          0,
          15,
        ),
        "t10k-labels-idx1-ubyte": idx([1], [0]),
      },
      "truncated or damaged",
    ],
  ];
  for (const [name, files, message] of cases) {
    using folder = temporaryFolder();
    for (const [file, data] of Object.entries(files)) {
      write(`${folder.path}/${file}`, data);
    }
    const error = assertThrows(
      () => openDataset(name, "test", { dataDir: folder.path }),
      GapcamError,
      message,
    );
    assertEquals(error.code, "bad-data");
  }
});

Deno.test("openDataset() refuses an oversized file before reading it", () => {
  using folder = temporaryFolder();
  write(`${folder.path}/test_y.bin`, bytes(1));
  // A file with a hole: large in name only.
  const file = Deno.openSync(`${folder.path}/test_X.bin`, {
    create: true,
    write: true,
  });
  file.truncateSync(STL10_IMAGE * 100_001);
  file.close();
  assertThrows(
    () => openDataset("stl10", "test", { dataDir: folder.path }),
    GapcamError,
    "expected at most 2764800000",
  );
});

Deno.test("openDataset() with a limit keeps the first images", async () => {
  const whole = openDataset("shapes", "test", { size: 16 });
  const dataset = openDataset("shapes", "test", { size: 16, limit: 3 });
  assertEquals(dataset.length, 3);
  assertEquals([...dataset.labels], [...whole.labels.subarray(0, 3)]);
  const image = new Uint8Array(768), expected = new Uint8Array(768);
  await dataset.read([2], image);
  await whole.read([2], expected);
  assertEquals(image, expected);
  assertThrows(() => dataset.read([3], image), GapcamError, "images 0 to 2");
  assertEquals(openDataset("shapes", "test", { limit: 9999 }).length, 1000);
  for (const limit of [0, -1, 1.5, NaN]) {
    assertThrows(
      () => openDataset("shapes", "test", { limit }),
      GapcamError,
      "whole number",
    );
  }
});

Deno.test("openDataset() names the data sets it knows", () => {
  assertThrows(
    () => openDataset("imagenet" as DatasetName, "train"),
    GapcamError,
    'data set "imagenet": expected one of stl10, cifar10',
  );
});
