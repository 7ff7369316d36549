import { assertEquals, assertThrows } from "@std/assert";
import {
  createRunFolder,
  findCheckpoint,
  GapcamError,
  newestCheckpoint,
  readRunLog,
  RunLog,
} from "../../mod.ts";
import { runName } from "../../src/train/run_folder.ts";

Deno.test("createRunFolder() refuses the folder of another run, but not to resume", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/log.jsonl`, "");
  assertThrows(
    () => createRunFolder(folder),
    GapcamError,
    `Cannot start a run in ${folder}: it holds log.jsonl of another run`,
  );
  createRunFolder(folder, { resume: true });
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), [
    "log.jsonl",
  ]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("createRunFolder() names a folder that cannot be made", async () => {
  const file = await Deno.makeTempFile();
  assertThrows(
    () => createRunFolder(`${file}/run`),
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
    "run `deno task train` first",
  );
  await Deno.remove(folder, { recursive: true });
});

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

Deno.test("RunLog goes on after a line that was cut short", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, '{"event":"start"}\n{"event":"epo');
  assertEquals(readRunLog(path).map(({ event }) => event), ["start"]);
  {
    using log = new RunLog(path);
    log.write({ event: "resume", step: 3 });
  }
  assertEquals(
    readRunLog(path).map(({ event, step }) => [event, step]),
    [["start", undefined], ["resume", 3]],
  );
  await Deno.remove(path);
});

Deno.test("readRunLog() names the line that is not JSON", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, '{"event":"start"}\nnonsense\n{}\n');
  assertThrows(() => readRunLog(path), GapcamError, "line 2 is not JSON");
  await Deno.remove(path);
});
