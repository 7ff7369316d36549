import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { DatasetSource } from "../../src/data/_dataset_sources.ts";
import { fetchSource } from "../../src/data/_fetch_source.ts";
import { fetchDataset } from "../../src/data/fetch_dataset.ts";
import { datasetFolder, openDataset } from "../../src/data/open_dataset.ts";
import { GapcamError } from "../../src/error.ts";
import { bytes, idx, noise, tar, temporaryFolder, write } from "./_helpers.ts";
import { filesIn, md5, serve } from "./_server.ts";

const MEMBERS = { "set/one.bin": noise(60_000, 1) };
const ARCHIVE = new Uint8Array(gzipSync(tar(MEMBERS)));
const FAST = {
  name: "set",
  retries: 0,
  backoffSeconds: 0.001,
  stallSeconds: 5,
};

function source(url: string): DatasetSource {
  return {
    url,
    archive: { bytes: ARCHIVE.length, md5: md5(ARCHIVE) },
    files: [{ name: "set/one.bin", bytes: 60_000 }],
  };
}

/** Runs in a working folder of its own, where data sets are looked for. */
async function inFolder(
  run: (path: string) => Promise<void> | void,
): Promise<void> {
  using folder = temporaryFolder();
  const before = Deno.cwd();
  Deno.chdir(folder.path);
  try {
    await run(folder.path);
  } finally {
    Deno.chdir(before);
  }
}

Deno.test("fetchSource() removes the folders it made where nothing came, and no others", async () => {
  using folder = temporaryFolder();
  await using server = serve(
    ARCHIVE,
    new Array(2).fill({ answer: () => new Response(null, { status: 404 }) }),
  );
  Deno.mkdirSync(`${folder.path}/there`);
  for (const target of ["data/new/deep", "there"]) {
    await assertRejects(
      () => fetchSource(source(server.url), `${folder.path}/${target}`, FAST),
      GapcamError,
      "answered 404",
    );
  }
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), [
    "there",
  ]);
});

Deno.test("fetchSource() leaves a link to nothing where it is", async () => {
  using folder = temporaryFolder();
  Deno.symlinkSync("nowhere/at/all", `${folder.path}/data`);
  await assertRejects(
    () =>
      fetchSource(source("http://127.0.0.1/"), `${folder.path}/data/x`, FAST),
    GapcamError,
    "Cannot write",
  );
  assert(Deno.lstatSync(`${folder.path}/data`).isSymlink);
  // The reason alone, without the system's number and its name of the call.
  await assertRejects(
    () =>
      fetchSource(
        source("http://127.0.0.1/"),
        "/proc/nothing/in/here",
        FAST,
      ),
    GapcamError,
    "Cannot write /proc/nothing: No such file or directory",
  );
});

Deno.test("datasetFolder() does not take what a failed download left for the data set", () =>
  inFolder(async () => {
    for (const name of ["stl10", "cifar10", "cifar100", "mnist"] as const) {
      Deno.mkdirSync(`data/${name}`, { recursive: true });
      assertEquals(datasetFolder(name), undefined, name);
    }
    await using server = serve(ARCHIVE, [{ cutAfter: 20_000 }]);
    // Half an archive, kept to go on from.
    await assertRejects(() =>
      fetchDataset("stl10", {
        ...FAST,
        url: server.url,
        verify: false,
        retries: 0,
      })
    );
    assertEquals(datasetFolder("stl10"), undefined);
    // Three of four files.
    for (
      const name of [
        "train-images-idx3",
        "train-labels-idx1",
        "t10k-images-idx3",
      ]
    ) {
      const images = name.includes("images");
      write(`data/mnist/${name}-ubyte`, idx(images ? [1, 1, 1] : [1], [1]));
    }
    assertEquals(datasetFolder("mnist"), undefined);
    assertEquals(openDataset("mnist", "train").length, 1);
    assertThrows(
      () => openDataset("mnist", "test"),
      GapcamError,
      "Cannot find t10k-labels-idx1-ubyte",
    );
    write("data/mnist/t10k-labels-idx1-ubyte.gz", gzipSync(idx([1], [1])));
    assertEquals(datasetFolder("mnist"), "data/mnist");
  }));

Deno.test({
  name:
    "datasetFolder() finds Debian's Fashion-MNIST behind an empty folder (needs the package)",
  ignore: !existsSync("/usr/share/datasets/fashion-mnist"),
  fn: () =>
    inFolder(() => {
      Deno.mkdirSync("data/fashion-mnist", { recursive: true });
      assertEquals(
        datasetFolder("fashion-mnist"),
        "/usr/share/datasets/fashion-mnist",
      );
    }),
});

Deno.test("fetchSource() says why a connection failed", async () => {
  using folder = temporaryFolder();
  const silent = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = silent.addr as Deno.NetAddr;
  silent.close();
  const cases = [
    ["http://name.invalid/x", "dns error: "],
    [`http://127.0.0.1:${port}/x`, "tcp connect error: Connection refused"],
  ] as const;
  for (const [url, reason] of cases) {
    const error = await assertRejects(
      () => fetchSource(source(url), `${folder.path}/x`, FAST),
      GapcamError,
      `the connection failed (${reason}`,
    );
    assert(!error.message.includes("os error"), error.message);
    assert(error.message.includes("and 1 attempt brought"), error.message);
  }
  // Speaks no TLS.
  await using server = serve(ARCHIVE);
  await assertRejects(
    () =>
      fetchSource(
        source(server.url.replace("http:", "https:")),
        `${folder.path}/x`,
        FAST,
      ),
    GapcamError,
    "the connection failed (received corrupt message",
  );
});

Deno.test("fetchSource() stopped while it waits for another try stops at once", async () => {
  using folder = temporaryFolder();
  await using server = serve(
    ARCHIVE,
    new Array(9).fill({ answer: () => new Response(null, { status: 503 }) }),
  );
  const controller = new AbortController();
  const error = await assertRejects(() =>
    fetchSource(source(server.url), `${folder.path}/x`, {
      ...FAST,
      retries: 5,
      backoffSeconds: 600,
      signal: controller.signal,
      onRetry: () => setTimeout(() => controller.abort(), 10),
    })
  );
  assertEquals((error as Error).name, "AbortError");
  assertEquals(existsSync(`${folder.path}/x`), false);
});

Deno.test("fetchSource() refuses a part file that is a link, and writes nothing through it", async () => {
  await using server = serve(ARCHIVE);
  for (
    const name of [
      "set.tar.gz.part",
      "set.tar.gz.part.json",
      "set/one.bin.part",
    ]
  ) {
    using folder = temporaryFolder();
    write(`${folder.path}/precious`, bytes(1, 2, 3));
    Deno.mkdirSync(`${folder.path}/in/set`, { recursive: true });
    Deno.symlinkSync(`${folder.path}/precious`, `${folder.path}/in/${name}`);
    await assertRejects(
      () => fetchSource(source(server.url), `${folder.path}/in`, FAST),
      GapcamError,
      `${name}: found a link, expected a file or nothing; remove it`,
    );
    assertEquals(Deno.readFileSync(`${folder.path}/precious`), bytes(1, 2, 3));
  }
});

Deno.test("fetchSource() says that a server has nothing", async () => {
  const answers: [() => Response, string][] = [
    [
      () =>
        new Response(null, {
          status: 416,
          headers: { "content-range": "bytes */0" },
        }),
      "has no byte 0",
    ],
    [() => new Response(new Uint8Array()), "sent no bytes"],
  ];
  for (const [answer, message] of answers) {
    using folder = temporaryFolder();
    await using server = serve(ARCHIVE, [{ answer }]);
    await assertRejects(
      () =>
        fetchSource(
          {
            url: server.url.replace("set.tar.gz", ""),
            files: [{ name: "one.bin" }],
          },
          `${folder.path}/x`,
          FAST,
        ),
      GapcamError,
      message,
    );
    assertEquals(existsSync(`${folder.path}/x`), false);
  }
});

Deno.test("fetchDataset() keeps no web page under a data file's name, checked or not", async () => {
  using folder = temporaryFolder();
  const page = new TextEncoder().encode("<!DOCTYPE html><p>Please log in");
  const labels = new Uint8Array(gzipSync(idx([1], [7])));
  const images = new Uint8Array(gzipSync(idx([1, 1, 1], [7])));
  const sends: [Uint8Array, string][] = [
    [page, "sent a web page, expected an IDX file of 3 dimensions"],
    [labels, "sent 1 dimensions, expected an IDX file of 3 dimensions"],
    [noise(100), "sent something else (found magic number"],
    [images.subarray(0, 15), "sent something else (it is truncated or damaged"],
  ];
  const url = (server: { url: string }) => server.url.replace("set.tar.gz", "");
  for (const [sent, message] of sends) {
    await using server = serve(sent);
    await assertRejects(
      () =>
        fetchDataset("mnist", {
          dataDir: `${folder.path}/in`,
          url: url(server),
          verify: false,
        }),
      GapcamError,
      message,
    );
    assertEquals(existsSync(`${folder.path}/in`), false);
  }
  // One that an older version kept is fetched again.
  write(`${folder.path}/in/train-images-idx3-ubyte.gz`, page);
  await using server = serve(images);
  await assertRejects(
    () =>
      fetchDataset("mnist", {
        dataDir: `${folder.path}/in`,
        url: url(server),
        verify: false,
      }),
    GapcamError,
    "train-labels-idx1-ubyte.gz: ",
  );
  assertEquals(
    Deno.readFileSync(`${folder.path}/in/train-images-idx3-ubyte.gz`),
    images,
  );
});

Deno.test("fetchSource() takes unchecked members of whole records alone", async () => {
  using folder = temporaryFolder();
  await using server = serve(ARCHIVE);
  await assertRejects(
    () =>
      fetchSource(
        {
          url: server.url,
          archive: {},
          files: [{ name: "set/one.bin", record: 3073 }],
        },
        `${folder.path}/in`,
        FAST,
      ),
    GapcamError,
    "set/one.bin: found 60000 bytes, expected a multiple of 3073",
  );
  assertEquals(existsSync(`${folder.path}/in`), false);
});

Deno.test("fetchSource() unpacks an archive that is there already, and leaves it", async () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/mine.tar.gz`;
  write(file, ARCHIVE);
  const nowhere = source("http://127.0.0.1:9/set.tar.gz");
  const seen: number[] = [];
  assertEquals(
    await fetchSource(nowhere, `${folder.path}/in`, {
      ...FAST,
      file,
      onProgress: ({ done }) => seen.push(done),
    }),
    true,
  );
  assertEquals(seen.at(-1), ARCHIVE.length);
  assertEquals(filesIn(`${folder.path}/in`), ["set/one.bin"]);
  const broken: [Uint8Array, string][] = [
    [ARCHIVE.subarray(0, 30_000), "mine.tar.gz is no gzip archive, or"],
    [new TextEncoder().encode("<html>"), "mine.tar.gz is no gzip archive, or"],
    [
      new Uint8Array(gzipSync(tar({ "set/one.bin": noise(60_000, 9) }))),
      "mine.tar.gz: its MD5 checksum is",
    ],
    [
      new Uint8Array(gzipSync(tar({ "other/one.bin": noise(60_000, 9) }))),
      "its MD5 checksum is",
    ],
  ];
  for (const [content, message] of broken) {
    write(file, content);
    await assertRejects(
      () => fetchSource(nowhere, `${folder.path}/other`, { ...FAST, file }),
      GapcamError,
      message,
    );
    assertEquals(existsSync(`${folder.path}/other`), false);
    assertEquals(Deno.readFileSync(file), content);
  }
  for (const [path, message] of [["none", "No such file"], ["in", "no file"]]) {
    await assertRejects(
      () =>
        fetchSource(nowhere, `${folder.path}/other`, {
          ...FAST,
          file: `${folder.path}/${path}`,
        }),
      GapcamError,
      message,
    );
  }
  await assertRejects(
    () => fetchDataset("mnist", { file, dataDir: `${folder.path}/other` }),
    GapcamError,
    "it is published as 4 files, not as one archive",
  );
  assertThrows(
    () => openDataset("stl10", "train", { dataDir: file }),
    GapcamError,
    "is a file, expected a folder; an archive is unpacked with",
  );
});

Deno.test("fetchSource() removes what a killed run left beside complete files", async () => {
  using folder = temporaryFolder();
  write(`${folder.path}/set/one.bin`, MEMBERS["set/one.bin"]);
  for (
    const name of [
      "set.tar.gz.part",
      "set.tar.gz.part.json",
      "set/one.bin.part",
    ]
  ) {
    write(`${folder.path}/${name}`, bytes(1));
  }
  const nowhere = source("http://127.0.0.1:9/set.tar.gz");
  assertEquals(await fetchSource(nowhere, folder.path, FAST), false);
  assertEquals(filesIn(folder.path), ["set/one.bin"]);
});
