import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { readCheckpoint, readRunLog } from "../../mod.ts";
import {
  commandOf,
  Output,
  runCommand,
  SMALL,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

Deno.test("train prints losses, the accuracy of each class and a confusion matrix", () =>
  withFolder(async (folder) => {
    const { code, stdout, stderr } = await runCommand("train", [
      ...SMALL,
      "--epochs=2",
      "--out=first",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      stdout,
      /^Device: .*\nData: shapes, 40 images to train and 20 /,
    );
    assertMatch(
      stdout,
      /\n\[1, 2\] loss: \d\.\d{3}\n\[1, 4\] loss: \d\.\d{3}\n/,
    );
    assertMatch(stdout, /\nepoch 2: loss \d\.\d{3}, accuracy /);
    assertMatch(
      stdout,
      /\n {2}crescent +\d+\.\d\d % +\d of {2}2 {3}precision +\d+\.\d\d % {3}F1 +\d+\.\d\d %\n/,
    );
    assertMatch(stdout, /\n\d+\.\d\d % {2}of all 20 images/);
    assertStringIncludes(stdout, "Confusion matrix");
    assertStringIncludes(stdout, "Saved in first.");
    const log = readRunLog(`${folder}/first/log.jsonl`);
    const evaluation = log.at(-1)!;
    assert(evaluation.event === "evaluation");
    assertEquals(evaluation.images, 20);
    const checkpoint = await readCheckpoint(
      `${folder}/first/checkpoint.safetensors`,
    );
    assertEquals(checkpoint.progress.step, 8);
  }));

Deno.test("train --json prints one JSON object on stdout", () =>
  withFolder(async (folder) => {
    const { code, stdout, stderr } = await runCommand("train", [
      ...SMALL,
      "--epochs=1",
      "--json",
      `--out=${folder}/run`,
    ]);
    assertEquals(code, 0);
    const result = JSON.parse(stdout);
    assertEquals(result.epochs, 1);
    assertEquals(result.evaluation.images, 20);
    assertEquals(result.evaluation.confusion.length, 10);
    assertStringIncludes(stderr, "[1, 4] loss: ");
  }));

Deno.test("train --resume goes on to the bytes of an uncut run", () =>
  withFolder(async (folder) => {
    const whole = await trainSmall(
      `${folder}/whole`,
      "--epochs=2",
      "--schedule=constant",
    );
    const cut = await trainSmall(`${folder}/cut`, "--schedule=constant");
    const { code, stdout, stderr } = await runCommand("train", [
      `--resume=${cut}`,
      "--epochs=2",
      "--test-limit=20",
      "--device=cpu",
    ]);
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "Resuming after epoch 1, step 0");
    assertEquals(
      await Deno.readFile(`${cut}/checkpoint.safetensors`),
      await Deno.readFile(`${whole}/checkpoint.safetensors`),
    );
  }));

Deno.test("train saves at Ctrl-C, exits 130, and goes on to the bytes of an uncut run", () =>
  withFolder(async (folder) => {
    const flags = ["--epochs=12", "--train-limit=100"];
    const whole = await trainSmall(`${folder}/whole`, ...flags);
    const run = `${folder}/run`;
    const child = commandOf("train", [...SMALL, ...flags, `--out=${run}`])
      .spawn();
    const output = new Output(child.stdout);
    await output.until(/\[2, \d+\] loss/);
    child.kill("SIGINT");
    const text = await output.end();
    const { code } = await child.status;
    await child.stderr.cancel();
    assertEquals(code, 130);
    assertMatch(
      text,
      new RegExp(`Stopped after step \\d+; saved. Go on with: .*${run}`),
    );
    const { progress } = await readCheckpoint(`${run}/checkpoint.safetensors`);
    assert(progress.step > 10 && progress.step < 120, `${progress.step}`);
    assertEquals(readRunLog(`${run}/log.jsonl`).at(-1)!.event, "stop");
    const resumed = await runCommand("train", [
      "--resume",
      run,
      "--test-limit=20",
      "--device=cpu",
    ]);
    assertEquals(resumed.code, 0, resumed.stderr);
    assertEquals(
      await Deno.readFile(`${run}/checkpoint.safetensors`),
      await Deno.readFile(`${whole}/checkpoint.safetensors`),
    );
  }));

Deno.test("train exits at once at a second Ctrl-C", () =>
  withFolder(async (folder) => {
    // One step of this network takes seconds: the first Ctrl-C waits for it.
    const child = commandOf("train", [
      "--dataset=shapes",
      "--train-limit=200",
      "--model=64,64,64,64",
      "--image-size=128",
      "--batch-size=100",
      "--device=cpu",
      "--threads=1",
      // Its first picture would be what Ctrl-C meets.
      "--no-film",
      `--out=${folder}/run`,
    ]).spawn();
    const output = new Output(child.stdout);
    await output.until(/Run: /);
    await untilExists(`${folder}/run/checkpoint.safetensors`);
    child.kill("SIGINT");
    await output.until(/Ctrl-C again/);
    // One within a second is the first again, which `deno task` hands on.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    child.kill("SIGINT");
    const { code } = await child.status;
    assertEquals(code, 130);
    assert(!(await output.end()).includes("saved"));
    await child.stderr.cancel();
    const { progress } = await readCheckpoint(
      `${folder}/run/checkpoint.safetensors`,
    );
    assertEquals(progress.step, 0);
  }));

Deno.test("train --init takes what fits and starts the rest fresh, --freeze keeps it", () =>
  withFolder(async (folder) => {
    const first = await trainSmall(`${folder}/first`);
    const { code, stdout, stderr } = await runCommand("train", [
      ...SMALL,
      "--epochs=1",
      "--model=8,M,16,16",
      `--init=${first}/checkpoint.safetensors`,
      "--freeze=features.0",
      "--freeze=features.1",
      `--out=${folder}/second`,
    ]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      stdout,
      /Weights: \d+ tensors from \S+; fresh: features\.7\.weight, .*\n/,
    );
    const [before, after] = await Promise.all(
      [first, `${folder}/second`].map((run) =>
        readCheckpoint(`${run}/checkpoint.safetensors`)
      ),
    );
    for (const [name, { data }] of before!.parameters) {
      if (!/^features\.[01]\.(weight|bias)$/.test(name)) continue;
      assertEquals(after!.parameters.get(name)!.data, data, name);
    }
  }));

async function untilExists(path: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await Deno.stat(path).then(() => true, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${path} was not written`);
}
