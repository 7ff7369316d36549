import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { readCheckpoint, readRunLog, writeCheckpoint } from "../../mod.ts";
import { newestCheckpoint } from "../../src/train/find_checkpoint.ts";
import {
  assertRefused,
  commandOf,
  Output,
  runCommand,
  SMALL,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

const CHECKPOINT = "checkpoint.safetensors";

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

async function stepOf(run: string): Promise<number> {
  return (await readCheckpoint(`${run}/${CHECKPOINT}`)).progress.step;
}

/** A run that goes on for ever, in its second epoch. */
async function endless(
  run: string,
  options: { flags?: string[]; nohup?: boolean; task?: boolean } = {},
) {
  const child = commandOf("train", [
    ...SMALL,
    "--train-limit=400",
    "--epochs=100000",
    `--out=${run}`,
    ...options.flags ?? [],
  ], options).spawn();
  const output = new Output(child.stdout);
  await output.until(/\[2, \d+\] loss/);
  return {
    child,
    output,
    /** Its exit code, once it has ended. */
    async ended(): Promise<number> {
      await output.end();
      const { code } = await child.status;
      await child.stderr.cancel();
      return code;
    },
  };
}

Deno.test("train started several times at once gives each run a folder of its own", () =>
  withFolder(async (workingFolder) => {
    const outcomes = await Promise.all(
      ["1", "2", "3"].map((seed) =>
        runCommand("train", [...SMALL, "--epochs=1", `--seed=${seed}`], {
          workingFolder,
          folder: workingFolder,
        })
      ),
    );
    assertEquals(outcomes.map(({ code }) => code), [0, 0, 0]);
    const runs = namesIn(`${workingFolder}/runs`);
    assertEquals(runs.length, 3);
    const seeds = await Promise.all(runs.map(async (name) => {
      const run = `${workingFolder}/runs/${name}`;
      assertEquals(namesIn(run), [CHECKPOINT, "film.jsonl", "log.jsonl"]);
      const events = readRunLog(`${run}/log.jsonl`).map(({ event }) => event);
      assertEquals(events.filter((event) => event === "start").length, 1);
      return (await readCheckpoint(`${run}/${CHECKPOINT}`)).training.seed;
    }));
    assertEquals(seeds.sort(), [1, 2, 3]);
  }));

Deno.test("a run that trains is held against all others, and free once it was killed", () =>
  withFolder(async (folder) => {
    const run = `${folder}/run`;
    const training = await endless(run);
    for (const flag of ["--resume", "--out"]) {
      await assertRefused(
        "train",
        [...SMALL.filter(() => flag === "--out"), `${flag}=${run}`],
        /^error: Cannot train in .*run: another process is training there; /,
      );
    }
    training.child.kill("SIGKILL");
    await training.ended();
    const { progress } = await readCheckpoint(`${run}/${CHECKPOINT}`);
    await Deno.writeTextFile(`${run}/.gapcam-89abcdef.tmp`, "half");
    const { code, stderr } = await runCommand("train", [
      `--resume=${run}`,
      `--epochs=${progress.epoch + 1}`,
      "--device=cpu",
    ]);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(namesIn(run), [CHECKPOINT, "film.jsonl", "log.jsonl"]);
  }));

Deno.test("train starts again by the same command where it was killed before the first checkpoint", () =>
  withFolder(async (folder) => {
    const run = `${folder}/run`;
    await Deno.mkdir(run);
    await Deno.writeTextFile(`${run}/log.jsonl`, '{"event":"start"}\n{"ev');
    await Deno.writeTextFile(`${run}/.gapcam-01234567.tmp`, "half");
    assertEquals(await trainSmall(folder), run);
    assertEquals(namesIn(run), [CHECKPOINT, "film.jsonl", "log.jsonl"]);
  }));

for (
  const [name, signals, code] of [
    [
      "one Ctrl-C that comes twice, as under deno task",
      ["SIGINT", "SIGINT"],
      130,
    ],
    ["SIGTERM", ["SIGTERM"], 143],
    ["SIGHUP", ["SIGHUP", "SIGHUP"], 129],
  ] as const
) {
  Deno.test(`train saves at ${name}, and exits ${code}`, () =>
    withFolder(async (folder) => {
      const run = `${folder}/run`;
      const training = await endless(run);
      const before = await stepOf(run);
      for (const signal of signals) training.child.kill(signal);
      assertEquals(await training.ended(), code);
      assertMatch(
        training.output.text,
        /Stopped after step \d+; saved\. Go on/,
      );
      const last = readRunLog(`${run}/log.jsonl`).at(-1)!;
      assert(last.event === "stop");
      assertEquals([last.reason, last.step], [
        "interrupted",
        await stepOf(run),
      ]);
      assert(last.step > before);
    }));
}

for (const task of [false, true]) {
  const name = task ? "deno task train" : "train";
  Deno.test(`${name} under nohup takes no notice of a terminal that is closed`, () =>
    withFolder(async (folder) => {
      const training = await endless(`${folder}/run`, { nohup: true, task });
      training.child.kill("SIGHUP");
      await training.output.until(/\[5, \d+\] loss/);
      assert(!training.output.text.includes("Stopp"));
      training.child.kill("SIGTERM");
      assertEquals(await training.ended(), 143);
      assertStringIncludes(training.output.text, "saved. Go on with");
    }));
}

Deno.test("train --save-every keeps what a kill in the middle of an epoch would lose", () =>
  withFolder(async (folder) => {
    const run = `${folder}/run`;
    const training = await endless(run, { flags: ["--save-every=1"] });
    training.child.kill("SIGKILL");
    await training.ended();
    const { progress } = await readCheckpoint(`${run}/${CHECKPOINT}`);
    assert(progress.batch > 0, JSON.stringify(progress));
  }));

Deno.test("train whose output nobody can read trains on and says so at the end", () =>
  withFolder(async (folder) => {
    const { code, stderr } = await new Deno.Command("sh", {
      args: [
        "-c",
        'exec "$@" > /dev/full',
        "-",
        Deno.execPath(),
        "run",
        "-A",
        new URL("../../scripts/train.ts", import.meta.url).pathname,
        ...SMALL,
        "--epochs=2",
        `--out=${folder}/run`,
      ],
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [
      1,
      "error: Cannot print all of the training's output: No space left on " +
      `device; the run is whole and saved in ${folder}/run\n`,
    ]);
    assertEquals(await stepOf(`${folder}/run`), 8);
  }));

Deno.test("train --resume goes on with the limits of the data that it began with", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const resume = ["--resume", run, "--epochs=2", "--device=cpu"];
    const { code, stdout } = await runCommand("train", resume);
    assertEquals(code, 0);
    assertStringIncludes(
      stdout,
      "40 images to train and 20 to test, 10 classes",
    );
    assertStringIncludes(stdout, "Training: 2 epochs in");
    const other = await runCommand("train", [...resume, "--test-limit=7"]);
    assertStringIncludes(other.stdout, "40 images to train and 7 to test");
  }));

Deno.test("train names the run in its hint, unless that is what cam takes without", () =>
  withFolder(async (workingFolder) => {
    const options = { workingFolder, folder: workingFolder };
    const flags = [...SMALL, "--epochs=1"];
    const named = await runCommand(
      "train",
      [...flags, "--out=my run"],
      options,
    );
    assertStringIncludes(
      named.stdout,
      "deno task cam --checkpoint 'my run' --index 3\n",
    );
    const newest = await runCommand("train", flags, options);
    assertStringIncludes(newest.stdout, "deno task cam --index 3\n");
    assertMatch(newest.stdout, /\nTraining: 1 epoch in batches/);
  }));

Deno.test("eval and cam pass over runs that cannot be read or have learnt nothing, and say which they took", () =>
  withFolder(async (workingFolder) => {
    const options = { workingFolder, folder: workingFolder };
    const runs = `${workingFolder}/runs`;
    const run = await trainSmall(runs);
    const path = `${run}/${CHECKPOINT}`;
    await Deno.utime(path, 10, 10);
    const diverged = await runCommand("train", [
      ...SMALL,
      "--optimizer=sgd",
      "--learning-rate=1e12",
      `--out=${runs}/wild`,
    ]);
    assertMatch(diverged.stderr, /the checkpoint of epoch 0 is kept in/);
    await Deno.mkdir(`${runs}/broken`);
    await Deno.writeTextFile(`${runs}/broken/${CHECKPOINT}`, "no such thing");
    await Deno.symlink("loop", `${runs}/loop`);
    for (const command of ["eval", "cam"]) {
      const { code, stdout, stderr } = await runCommand(
        command,
        ["--device=cpu"],
        options,
      );
      assertEquals(code, 0, stderr);
      assertMatch(stdout, /^Checkpoint: runs\/run\/checkpoint.safetensors/m);
      assertMatch(
        stderr,
        /^note: passed over runs\/broken\/checkpoint.safetensors: Cannot .*\nnote: passed over runs\/wild\/checkpoint.safetensors: its training diverged, and its network is as it was before the first step\n$/,
      );
    }
    const asked = await runCommand(
      "cam",
      ["--checkpoint=wild", "--device=cpu"],
      options,
    );
    assertEquals(asked.code, 0);
    assertEquals(
      asked.stderr,
      "note: runs/wild/checkpoint.safetensors: its training diverged, and " +
        "its network is as it was before the first step\n",
    );
  }));

Deno.test("export and import write over no run's checkpoint, nor over what they read", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const path = `${run}/${CHECKPOINT}`;
    const copy = `${folder}/copy.safetensors`;
    await Deno.copyFile(path, copy);
    const link = `${folder}/link.safetensors`;
    await Deno.symlink(copy, link);
    const small = `${folder}/small.safetensors`;
    const write = ["--checkpoint", run, "--out"];
    const written = await runCommand("export", [...write, small]);
    assertEquals(written.code, 0, written.stderr);
    const network = [
      "--model=8,M,16",
      "--classes=a,b,c,d,e,f,g,h,i,j",
      "--out",
    ];
    const before = await Deno.readFile(path);
    for (const out of [path, `${run}/./${CHECKPOINT}`, copy, link]) {
      for (
        const [command, args] of [
          ["export", [...write, out]],
          ["import", [small, ...network, out]],
        ] as const
      ) {
        await assertRefused(command, args, /^error: Cannot write .*; choose/);
      }
    }
    await Deno.remove(path);
    await assertRefused(
      "import",
      [small, ...network, path],
      /this is the name of a run's checkpoint in that run's folder/,
    );
    await assertRefused(
      "import",
      [small, ...network, small],
      /it is the file that is read/,
    );
    assertEquals(await Deno.readFile(copy), before);
    // What is no run is replaced, as ever.
    const other = `${folder}/other.safetensors`;
    for (
      const args of [[small, ...network, other], [small, ...network, other]]
    ) {
      assertEquals((await runCommand("import", args)).code, 0);
    }
  }));

Deno.test("train refuses what no machine holds, and reads no pipe or device", () =>
  withFolder(async (folder) => {
    await assertRefused(
      "train",
      [...SMALL, "--model=99999,99999", `--out=${folder}/run`],
      /Cannot build a model of 90,00\d,\d{3},\d{3} parameters, which take 336 GiB/,
    );
    assertEquals(namesIn(folder), []);
    const pipe = `${folder}/pipe`;
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    const run = await trainSmall(folder);
    for (const path of [pipe, "/dev/zero"]) {
      for (
        const [command, flag] of [
          ["train", "--resume"],
          ["eval", "--checkpoint"],
        ] as const
      ) {
        await assertRefused(
          command,
          [flag, path],
          /found a folder, a pipe or a device, expected a file/,
        );
      }
      await assertRefused(
        "cam",
        ["--checkpoint", run, "--device=cpu", "--image", path],
        /^error: Cannot read .*: found .*, expected a file/,
      );
    }
  }));

Deno.test("a start that fails removes no folder and no link of the user's", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/mine`);
    await Deno.symlink("mine", `${folder}/link`);
    for (const name of ["mine", "link", "new"]) {
      await assertRefused(
        "train",
        [...SMALL, "--batch-size=64", `--out=${folder}/${name}`],
        /Cannot load batches of 64 images: shapes \(train\) has only 40/,
      );
    }
    assertEquals(namesIn(folder), ["link", "mine"]);
    const { code } = await runCommand("train", [
      ...SMALL,
      "--epochs=0",
      `--out=${folder}/link`,
    ]);
    assertEquals([code, namesIn(`${folder}/mine`)], [0, [
      CHECKPOINT,
      "film.jsonl",
      "log.jsonl",
    ]]);
  }));

Deno.test("names in a checkpoint write nothing on the terminal but themselves", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const path = `${run}/${CHECKPOINT}`;
    const checkpoint = await readCheckpoint(path, { optimiser: true });
    checkpoint.modelName = "\x1b[2J";
    checkpoint.classes[3] = "\x1b]0;title\x07\nframe";
    await writeCheckpoint(path, checkpoint);
    const outcomes = await Promise.all([
      runCommand("eval", ["--checkpoint", run, "--device=cpu"]),
      runCommand("train", ["--resume", run, "--epochs=2", "--device=cpu"]),
    ]);
    for (const { stdout, stderr } of outcomes) {
      // deno-lint-ignore no-control-regex
      assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(stdout + stderr));
    }
    assertEquals(newestCheckpoint(folder), path);
  }));
