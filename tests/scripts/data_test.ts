import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { TransferDisplay } from "../../scripts/_transfer_display.ts";
import { CIFAR10_CLASSES } from "../../src/data/cifar.ts";
import { openDataset } from "../../src/data/open_dataset.ts";
import { encodePng } from "../../src/image/encode_png.ts";
import { idx, noise, tar, temporaryFolder, write } from "../data/_helpers.ts";
import { serve } from "../data/_server.ts";

async function dataTask(...args: string[]) {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "data", ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    code: output.code,
    out: decode(output.stdout),
    err: decode(output.stderr),
  };
}

Deno.test("deno task data fetches, checks and says what is there", async () => {
  using folder = temporaryFolder();
  const files: Record<string, Uint8Array> = {
    "/m/train-images-idx3-ubyte.gz": gzipSync(idx([2, 1, 1], [1, 2])),
    "/m/train-labels-idx1-ubyte.gz": gzipSync(idx([2], [3, 4])),
    "/m/t10k-images-idx3-ubyte.gz": gzipSync(idx([1, 1, 1], [9])),
    "/m/t10k-labels-idx1-ubyte.gz": gzipSync(idx([1], [5])),
  };
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      const file = files[new URL(request.url).pathname];
      return file
        ? new Response(new Uint8Array(file))
        : new Response(null, { status: 404 });
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}/m`;
  const args = ["mnist", "--url", url, "--data-dir", folder.path];
  const checked = await dataTask(...args);
  assertEquals(checked.code, 1);
  assertStringIncludes(
    checked.err,
    "bytes, expected 9912422; take a mirror with --url",
  );
  const { code, out, err } = await dataTask(...args, "--unchecked");
  assertEquals(code, 0, err);
  assertEquals(
    out,
    `mnist is now in ${folder.path}: 2 images to train on, 1 to test on\n`,
  );
  assertStringIncludes(err, "t10k-labels-idx1-ubyte.gz: 100 % of ");
  const again = await dataTask(...args, "--unchecked");
  assertStringIncludes(again.out, "was already in");
  const told = await dataTask(...args, "--unchecked", "--json", "--quiet");
  assertEquals(JSON.parse(told.out), {
    dataset: "mnist",
    folder: folder.path,
    fetched: false,
    train: 2,
    test: 1,
  });
  assertEquals(told.err, "");
});

Deno.test("deno task data explains what it was not given", async () => {
  for (
    const [args, message] of [
      [[], "Cannot fetch nothing: expected one of stl10"],
      [["nope"], 'Cannot fetch "nope": expected one of stl10'],
      [["stl10", "--speed", "9"], "Unknown flag --speed"],
    ] as const
  ) {
    const { code, err } = await dataTask(...args);
    assertEquals(code, 1);
    assertStringIncludes(err, message);
    assert(!err.includes("    at "), err);
  }
});

Deno.test("deno task data stopped by Ctrl-C says that it will go on, and does", async () => {
  using folder = temporaryFolder();
  const archive = new Uint8Array(gzipSync(tar({
    "cifar-100-binary/train.bin": noise(3074 * 40, 1).map((byte, i) =>
      i % 3074 < 2 ? 7 : byte
    ),
    "cifar-100-binary/test.bin": new Uint8Array(3074),
  })));
  await using server = serve(archive, [{ stallAfter: 30_000 }]);
  const args = ["cifar100", "--url", server.url, "--unchecked"];
  const target = ["--data-dir", `${folder.path}/in`];
  const child = new Deno.Command(Deno.execPath(), {
    // As the task does, without a second process that gets the signal.
    args: [
      ...["run", "--no-prompt", "--allow-net", "--allow-read", "--allow-write"],
      ...["--allow-env=INIT_CWD", "scripts/data.ts", ...args, ...target],
    ],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const part = `${folder.path}/in/set.tar.gz.part`;
  while (!existsSync(part) || Deno.statSync(part).size < 30_000) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill("SIGINT");
  const { code, stderr } = await child.output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(code, 130, text);
  assert(
    text.endsWith("\nStopped; the same command goes on from here\n"),
    text,
  );
  const again = await dataTask(...args, ...target);
  assertEquals(again.code, 0, again.err);
  assertStringIncludes(again.out, "40 images to train on, 1 to test on");
  assertEquals(server.requests, [null, "bytes=30000-"]);
  // The same from an archive that is there.
  write(`${folder.path}/mine.tgz`, archive);
  const unpacked = await dataTask(
    ...["cifar100", "--file", `${folder.path}/mine.tgz`, "--unchecked"],
    ...["--data-dir", `${folder.path}/other`],
  );
  assertStringIncludes(unpacked.out, "is now in");
  const both = await dataTask(...args, "--file", "x");
  assertStringIncludes(both.err, "Cannot take --file and --url together");
});

Deno.test("deno task data makes CIFAR-10 of pictures", async () => {
  using folder = temporaryFolder();
  const { path } = folder;
  const pixel = (label: number, i: number) => label * 20 + i;
  for (const [label, name] of CIFAR10_CLASSES.entries()) {
    for (const [split, count] of [["train", 2], ["test", 1]] as const) {
      for (let i = 0; i < count; i++) {
        const data = new Uint8Array(3072).fill(pixel(label, i));
        data[3] = 250;
        const image = { height: 32, width: 32, channels: 3, data } as const;
        write(`${path}/in/${split}/${name}/${i}.png`, encodePng(image));
      }
    }
  }
  const args = ["--from-folder", `${path}/in`, "--data-dir", `${path}/out`];
  const { code, out, err } = await dataTask("cifar10", ...args);
  assertEquals(code, 0, err);
  assertStringIncludes(out, "20 images to train on, 10 to test on");
  const dataset = openDataset("cifar10", "train", { dataDir: `${path}/out` });
  const images = new Uint8Array(20 * 3072);
  await dataset.read(Array.from({ length: 20 }, (_, i) => i), images);
  for (let i = 0; i < 20; i++) {
    const value = pixel(dataset.labels[i]!, i < 10 ? 0 : 1);
    assertEquals(dataset.labels[i], i % 10);
    assertEquals(
      [...images.subarray(i * 3072, i * 3072 + 5)],
      [value, value, value, 250, value],
    );
  }
  const wrong = await dataTask("mnist", ...args);
  assertStringIncludes(wrong.err, "only cifar10");
  Deno.removeSync(`${path}/in/train/cat`, { recursive: true });
  Deno.removeSync(`${path}/in/test/cat`, { recursive: true });
  const lacking = await dataTask("cifar10", ...args);
  assertStringIncludes(lacking.err, "expected CIFAR-10's: airplane");
});

function display(terminal: boolean) {
  const target = {
    terminal,
    text: "",
    time: 0,
    write: (text: string) => target.text += text,
    now: () => target.time,
  };
  return { target, shown: new TransferDisplay(target) };
}

Deno.test("TransferDisplay writes a bar over itself on a terminal", () => {
  const { target, shown } = display(true);
  const progress = { name: "x", total: 4_000_000, resumed: 0 };
  for (target.time = 0; target.time <= 2000; target.time += 10) {
    shown.show({ ...progress, done: target.time * 1000 });
  }
  shown.finish();
  const lines = target.text.split("\r\x1b[K");
  assertEquals(lines.length, 1 + 21);
  assertEquals(
    lines[11],
    "x: [======                  ] 25 % of 4.0 MB, 1.0 MB/s, 0:03 left",
  );
  assert(target.text.endsWith("\n"));
});

Deno.test("TransferDisplay writes few lines elsewhere", () => {
  const { target, shown } = display(false);
  for (let done = 0; done <= 1000; done++) {
    target.time += 1;
    shown.show({ name: "x", done, total: 1000, resumed: 0 });
  }
  shown.finish();
  const lines = target.text.trim().split("\n");
  assertEquals(lines.length, 11);
  assertStringIncludes(lines[0]!, "x: 0 % of 1.0 KB");
  assertStringIncludes(lines[10]!, "x: 100 % of 1.0 KB");
});
