import { assertEquals, assertThrows } from "@std/assert";
import { GapcamError, openRunFolder } from "../../mod.ts";
import {
  checkpointsIn,
  findCheckpoint,
  newestCheckpoint,
} from "../../src/train/find_checkpoint.ts";
import { newRunFolder, runName } from "../../src/train/run_folder.ts";

async function withFolder(
  test: (folder: string) => Promise<void> | void,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("openRunFolder() refuses the folder of another run, but not to resume", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/log.jsonl`, '{"event":"epoch"}\n');
    assertThrows(
      () => openRunFolder(folder),
      GapcamError,
      `Cannot start a run in ${folder}: it holds log.jsonl of another run`,
    );
    openRunFolder(folder, { resume: true })[Symbol.dispose]();
    assertEquals(namesIn(folder), ["log.jsonl"]);
    await Deno.writeTextFile(`${folder}/log.jsonl`, "");
    await Deno.writeTextFile(`${folder}/checkpoint.safetensors`, "");
    assertThrows(
      () => openRunFolder(folder),
      GapcamError,
      "it holds checkpoint.safetensors of another run",
    );
  }));

Deno.test("openRunFolder() starts again where a run ended before its first checkpoint", () =>
  withFolder(async (folder) => {
    for (const log of ["", '{"event":"start"}\n', '{"event":"sta']) {
      await Deno.writeTextFile(`${folder}/log.jsonl`, log);
      await Deno.writeTextFile(`${folder}/.gapcam-0123abcd.tmp`, "half");
      openRunFolder(folder)[Symbol.dispose]();
      assertEquals(namesIn(folder), log === "" ? [] : ["log.jsonl"]);
    }
  }));

Deno.test("openRunFolder() waits for whoever only looks whether the run is held", () =>
  withFolder(async (folder) => {
    const looker = new Worker(
      `data:text/javascript,${
        encodeURIComponent(`
          const file = Deno.openSync(${JSON.stringify(folder)} + "/log.jsonl", {
            read: true, write: true, create: true,
          });
          file.tryLockSync(true);
          postMessage("held");
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);
          file.close();
        `)
      }`,
      { type: "module" },
    );
    await new Promise((resolve) => looker.onmessage = resolve);
    openRunFolder(folder)[Symbol.dispose]();
    looker.terminate();
  }));

Deno.test("openRunFolder() holds a folder against all others until it is let go", () =>
  withFolder((folder) => {
    const first = openRunFolder(`${folder}/run`);
    for (const resume of [false, true]) {
      assertThrows(
        () => openRunFolder(`${folder}/run`, { resume }),
        GapcamError,
        `Cannot train in ${folder}/run: another process is training there`,
      );
    }
    first[Symbol.dispose]();
    openRunFolder(`${folder}/run`)[Symbol.dispose]();
  }));

Deno.test("openRunFolder() removes what it made and nobody else's folder or link", () =>
  withFolder((folder) => {
    Deno.mkdirSync(`${folder}/mine`);
    Deno.symlinkSync("mine", `${folder}/link`);
    for (const name of ["new", "mine", "link"]) {
      openRunFolder(`${folder}/${name}`)[Symbol.dispose]();
    }
    assertEquals(namesIn(folder), ["link", "mine"]);
  }));

Deno.test("newRunFolder() gives each run of one second a folder of its own", () =>
  withFolder((folder) => {
    const now = new Date(2026, 0, 2, 3, 4, 5);
    const held = [1, 2, 3].map(() => newRunFolder(`${folder}/runs`, now));
    assertEquals(namesIn(`${folder}/runs`), [
      "2026-01-02_03-04-05",
      "2026-01-02_03-04-05-2",
      "2026-01-02_03-04-05-3",
    ]);
    held.forEach((run) => run[Symbol.dispose]());
    assertEquals(namesIn(`${folder}/runs`), []);
  }));

Deno.test("openRunFolder() names a folder that cannot be made", async () => {
  const file = await Deno.makeTempFile();
  assertThrows(
    () => openRunFolder(`${file}/run`),
    GapcamError,
    `Cannot write to run folder ${file}/run: Not a directory`,
  );
  await Deno.remove(file);
});

Deno.test("newestCheckpoint() takes the one that was written last", async () => {
  const folder = await Deno.makeTempDir();
  for (const [name, time] of [["a", 20], ["b", 10], ["c", 15]] as const) {
    const path = `${folder}/${name}/checkpoint.safetensors`;
    await Deno.mkdir(`${folder}/${name}`);
    await Deno.writeTextFile(path, "");
    await Deno.utime(path, time, time);
  }
  await Deno.mkdir(`${folder}/empty`);
  assertEquals(
    newestCheckpoint(folder),
    `${folder}/a/checkpoint.safetensors`,
  );
  assertThrows(
    () => newestCheckpoint(`${folder}/empty`),
    GapcamError,
    "train a network first",
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("checkpointsIn() passes over links in circles, pipes and folders", () =>
  withFolder(async (folder) => {
    Deno.symlinkSync("loop", `${folder}/loop`);
    for (const name of ["pipe", "folder", "good"]) {
      Deno.mkdirSync(`${folder}/${name}`);
    }
    Deno.mkdirSync(`${folder}/folder/checkpoint.safetensors`);
    const pipe = `${folder}/pipe/checkpoint.safetensors`;
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    const good = `${folder}/good/checkpoint.safetensors`;
    await Deno.writeTextFile(good, "");
    assertEquals(checkpointsIn(folder), [good]);
    for (const path of [pipe, `${folder}/pipe`, "/dev/zero"]) {
      assertThrows(
        () => findCheckpoint(path, folder),
        GapcamError,
        "found a folder, a pipe or a device, expected a file",
      );
    }
    assertThrows(
      () => findCheckpoint(`${folder}/loop`, folder),
      GapcamError,
      `Cannot load checkpoint ${folder}/loop: Too many levels of symbolic`,
    );
  }));

Deno.test("findCheckpoint() takes a file, a folder and a run's name", async () => {
  const runs = await Deno.makeTempDir();
  const path = `${runs}/first/checkpoint.safetensors`;
  await Deno.mkdir(`${runs}/first`);
  await Deno.mkdir(`${runs}/empty`);
  await Deno.writeTextFile(path, "");
  assertEquals(findCheckpoint(path, runs), path);
  assertEquals(findCheckpoint(`${runs}/first`, runs), path);
  assertEquals(findCheckpoint("first", runs), path);
  assertThrows(
    () => findCheckpoint("empty", runs),
    GapcamError,
    `Cannot find a checkpoint in ${runs}/empty`,
  );
  assertThrows(
    () => findCheckpoint("none", runs),
    GapcamError,
    "Cannot find checkpoint none: there is no such file",
  );
  await Deno.remove(runs, { recursive: true });
});

Deno.test("runName() sorts by time", () => {
  assertEquals(runName(new Date(2026, 0, 2, 3, 4, 5)), "2026-01-02_03-04-05");
});
