import { assert, assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import type { DatasetSource } from "../../src/data/_dataset_sources.ts";
import {
  fetchSource,
  type FetchSourceOptions,
} from "../../src/data/_fetch_source.ts";
import { fetchDataset } from "../../src/data/fetch_dataset.ts";
import { GapcamError } from "../../src/error.ts";
import { noise, tar, temporaryFolder, write } from "./_helpers.ts";
import { filesIn, md5, serve, type Serving } from "./_server.ts";

const FILES = {
  "set/first.bin": noise(60_000, 1),
  "set/second.bin": noise(80_000, 2),
  "set/unwanted.bin": noise(200_000, 3),
};
const ARCHIVE = new Uint8Array(gzipSync(tar(FILES)));

function source(url: string): DatasetSource {
  return {
    url,
    archive: { bytes: ARCHIVE.length, md5: md5(ARCHIVE) },
    files: [
      { name: "set/first.bin", bytes: 60_000 },
      { name: "set/second.bin", bytes: 80_000 },
    ],
  };
}

const FAST: FetchSourceOptions = {
  name: "set",
  retries: 2,
  backoffSeconds: 0.001,
  stallSeconds: 5,
};

function assertComplete(folder: string): void {
  assertEquals(filesIn(folder), ["set/first.bin", "set/second.bin"]);
  for (const name of ["set/first.bin", "set/second.bin"] as const) {
    assert(md5(Deno.readFileSync(`${folder}/${name}`)) === md5(FILES[name]));
  }
}

Deno.test("fetchSource() unpacks the wanted files and leaves nothing else", async () => {
  using folder = temporaryFolder();
  await using server = serve(ARCHIVE);
  const seen: number[] = [];
  const fetched = await fetchSource(source(server.url), folder.path, {
    ...FAST,
    onProgress: ({ done, total }) => {
      assertEquals(total, ARCHIVE.length);
      seen.push(done);
    },
  });
  assertEquals(fetched, true);
  assertComplete(folder.path);
  assertEquals(seen.at(-1), ARCHIVE.length);
  assertEquals(await fetchSource(source(server.url), folder.path, FAST), false);
  assertEquals(server.requests.length, 1);
});

Deno.test("fetchSource() goes on after cuts where the last byte was", async () => {
  using folder = temporaryFolder();
  // More cuts than retries: each brings something new.
  await using server = serve(
    ARCHIVE,
    new Array(6).fill({ cutAfter: 30_000 }),
  );
  await fetchSource(source(server.url), folder.path, FAST);
  assertComplete(folder.path);
  assertEquals(server.requests.length, 7);
  assertEquals(server.requests[0], null);
  assert(server.requests.slice(1).every((range) => range !== null));
});

Deno.test("fetchSource() gives a stalled connection up and goes on", async () => {
  using folder = temporaryFolder();
  await using server = serve(ARCHIVE, [{ stallAfter: 50_000 }]);
  const notes: string[] = [];
  await fetchSource(source(server.url), folder.path, {
    ...FAST,
    stallSeconds: 0.3,
    onRetry: (message) => notes.push(message),
  });
  assertComplete(folder.path);
  assertEquals(server.requests, [null, "bytes=50000-"]);
  assert(notes[0]!.includes("nothing came for 0.3 s"), notes[0]);
});

Deno.test("fetchSource() gives up in the end, and a later run goes on", async () => {
  using folder = temporaryFolder();
  const dead: Serving = {
    answer: () => new Response("later", { status: 503 }),
  };
  await using server = serve(ARCHIVE, [
    { cutAfter: 100_000 },
    dead,
    dead,
    dead,
  ]);
  const error = await assertRejects(
    () => fetchSource(source(server.url), folder.path, FAST),
    GapcamError,
    "the server answered 503 at ",
  );
  assert(error.message.includes("run the command again"), error.message);
  assertEquals(filesIn(folder.path), [
    "set.tar.gz.part",
    "set.tar.gz.part.json",
  ]);
  const kept = Deno.statSync(`${folder.path}/set.tar.gz.part`).size;
  assert(kept > 0);
  await fetchSource(source(server.url), folder.path, FAST);
  assertComplete(folder.path);
  assertEquals(server.requests.at(-1), `bytes=${kept}-`);
});

Deno.test("fetchSource() starts over where the server ignores Range or has another file", async () => {
  for (const second of [{ ranges: false }, { etag: "2" }]) {
    using folder = temporaryFolder();
    await using server = serve(ARCHIVE, [
      { cutAfter: 70_000 },
      second,
      { etag: second.etag },
    ]);
    await fetchSource(source(server.url), folder.path, FAST);
    assertComplete(folder.path);
    assertEquals(server.requests.length, 3);
  }
});

Deno.test("fetchSource() stops asking a server that cuts and never continues", async () => {
  using folder = temporaryFolder();
  await using server = serve(
    ARCHIVE,
    new Array(40).fill({ cutAfter: 70_000, ranges: false }),
  );
  await assertRejects(
    () => fetchSource(source(server.url), folder.path, FAST),
    GapcamError,
    "does not continue from where it was",
  );
  assert(server.requests.length < 10);
});

Deno.test("fetchSource() says what is wrong with what the server sends", async () => {
  const wrongByte = ARCHIVE.slice();
  wrongByte[ARCHIVE.length >> 1]! ^= 1;
  const wrongMember = source("");
  const cases: [Uint8Array, Serving, Partial<DatasetSource>, string][] = [
    [ARCHIVE.subarray(0, 9000), {}, {}, "has 9000 bytes, expected"],
    [
      ARCHIVE,
      {},
      { archive: { md5: md5(wrongByte) } },
      `its MD5 checksum is ${md5(ARCHIVE)}, expected ${md5(wrongByte)}`,
    ],
    [noise(5000), {}, { archive: {} }, "truncated or damaged"],
    [ARCHIVE.subarray(0, 90_000), {}, { archive: {} }, "truncated or damaged"],
    [
      new Uint8Array(gzipSync(noise(5000))),
      {},
      { archive: {} },
      "Cannot unpack the archive: a",
    ],
    [
      ARCHIVE,
      { answer: () => new Response("no", { status: 404 }) },
      {},
      "answered 404; take a mirror",
    ],
    [
      ARCHIVE,
      {
        answer: () =>
          new Response("<html>", { headers: { "content-type": "text/html" } }),
      },
      {},
      "sent a web page, not a data file",
    ],
    [
      ARCHIVE,
      {
        unannounced: true,
      },
      { archive: { bytes: 50_000 } },
      "sent more than the 50000 bytes",
    ],
    [
      ARCHIVE,
      {},
      { files: [{ name: "set/third.bin" }] },
      "has no set/third.bin",
    ],
    [
      ARCHIVE,
      {},
      { files: [{ ...wrongMember.files[0]!, bytes: 5 }] },
      "set/first.bin: it has 60000 bytes, expected 5",
    ],
    [
      ARCHIVE,
      {},
      { files: [{ ...wrongMember.files[0]!, md5: "0" }] },
      "set/first.bin: its MD5 checksum is",
    ],
  ];
  for (const [file, serving, change, message] of cases) {
    using folder = temporaryFolder();
    await using server = serve(file, [serving]);
    await assertRejects(
      () =>
        fetchSource({ ...source(server.url), ...change }, folder.path, FAST),
      GapcamError,
      message,
    );
    // Nothing under a final name, and nothing bad to go on from.
    assertEquals(filesIn(folder.path).filter((name) => name !== "set"), []);
  }
});

Deno.test("fetchSource() ends the download when every file is there and right", async () => {
  using folder = temporaryFolder();
  await using server = serve(ARCHIVE, [{ stallAfter: 250_000 }]);
  await fetchSource(
    {
      ...source(server.url),
      files: (["set/first.bin", "set/second.bin"] as const).map((name) => ({
        name,
        md5: md5(FILES[name]),
      })),
    },
    folder.path,
    { ...FAST, stallSeconds: 20 },
  );
  assertComplete(folder.path);
});

Deno.test("fetchSource() continues a part from a mirror when checksums guard it", async () => {
  using folder = temporaryFolder();
  {
    await using server = serve(ARCHIVE, [
      { cutAfter: 120_000 },
      ...new Array(9).fill({
        answer: () => new Response(null, { status: 500 }),
      }),
    ]);
    await assertRejects(() =>
      fetchSource(source(server.url), folder.path, FAST)
    );
  }
  await using mirror = serve(ARCHIVE, [{ etag: "other" }]);
  await fetchSource(source(mirror.url), folder.path, FAST);
  assertComplete(folder.path);
  assert(mirror.requests[0]!.startsWith("bytes="));
});

Deno.test("fetchSource() fetches a damaged file again", async () => {
  using folder = temporaryFolder();
  write(`${folder.path}/set/first.bin`, new Uint8Array(59_999));
  await using server = serve(ARCHIVE);
  await fetchSource(source(server.url), folder.path, FAST);
  assertComplete(folder.path);
});

Deno.test("fetchSource() lets one process at a time write", async () => {
  using folder = temporaryFolder();
  await using server = serve(ARCHIVE, [{ stallAfter: 50_000 }]);
  let second: Promise<unknown> | undefined;
  await fetchSource(source(server.url), folder.path, {
    ...FAST,
    stallSeconds: 0.5,
    onProgress: ({ done }) => {
      if (done < 50_000) return;
      second ??= assertRejects(
        () => fetchSource(source(server.url), folder.path, FAST),
        GapcamError,
        "another process is writing",
      );
    },
  });
  await second;
  assertComplete(folder.path);
});

Deno.test("fetchSource() stopped by a signal keeps what has come", async () => {
  using folder = temporaryFolder();
  await using server = serve(ARCHIVE, [{ stallAfter: 50_000 }]);
  const controller = new AbortController();
  const error = await assertRejects(() =>
    fetchSource(source(server.url), folder.path, {
      ...FAST,
      stallSeconds: 20,
      signal: controller.signal,
      onProgress: ({ done }) => done === 50_000 && controller.abort(),
    })
  );
  assertEquals((error as Error).name, "AbortError");
  assertEquals(Deno.statSync(`${folder.path}/set.tar.gz.part`).size, 50_000);
});

Deno.test("fetchSource() fetches single files under their names", async () => {
  using folder = temporaryFolder();
  const data = { "one.gz": noise(20_000, 4), "two.gz": noise(30_000, 5) };
  await using one = serve(data["one.gz"], [{ cutAfter: 10_000 }]);
  const files = [
    { name: "one.gz", bytes: 20_000, md5: md5(data["one.gz"]) },
  ];
  const base = one.url.replace("set.tar.gz", "");
  await fetchSource({ url: base, files }, folder.path, FAST);
  assertEquals(filesIn(folder.path), ["one.gz"]);
  assertEquals(Deno.readFileSync(`${folder.path}/one.gz`), data["one.gz"]);
  // The second is another file than promised.
  await assertRejects(
    () =>
      fetchSource(
        {
          url: base,
          files: [...files, { name: "two.gz", md5: md5(data["two.gz"]) }],
        },
        folder.path,
        FAST,
      ),
    GapcamError,
    "two.gz: its MD5 checksum is",
  );
  assertEquals(filesIn(folder.path), ["one.gz"]);
});

Deno.test("fetchSource() says that a folder cannot be written", async () => {
  using folder = temporaryFolder();
  write(`${folder.path}/file`, new Uint8Array());
  await assertRejects(
    () =>
      fetchSource(source("http://127.0.0.1/"), `${folder.path}/file/in`, FAST),
    GapcamError,
    "Cannot write",
  );
});

Deno.test("fetchDataset() names the data sets it knows and checks the mirror", async () => {
  await assertRejects(
    () => fetchDataset("imagenet"),
    GapcamError,
    'Cannot fetch "imagenet": expected one of stl10, cifar10',
  );
  await assertRejects(
    () => fetchDataset("toString"),
    GapcamError,
    "expected one of",
  );
  for (const url of ["ftp://x/", "stl10.tar.gz", "http://"]) {
    await assertRejects(
      () => fetchDataset("stl10", { url }),
      GapcamError,
      "expected an address",
    );
  }
});
