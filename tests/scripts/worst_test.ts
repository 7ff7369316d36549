import { assert, assertEquals } from "@std/assert";
import {
  evaluate,
  Network,
  openDevice,
  shapesDataset,
  vgg,
} from "../../mod.ts";
import type { ImageAnswer } from "../../src/train/image_answer.ts";
import { decodeImage } from "../../src/image/decode_image.ts";
import { WorstAnswers } from "../../scripts/_worst.ts";
import {
  assertRefused,
  runCommand,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

Deno.test("eval --worst draws the highest losses and the pairs confused most", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    const { code, stdout, stderr } = await runCommand("eval", [
      "--checkpoint=run",
      "--worst=4",
      "--device=cpu",
      "--json",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    const { worst, loss, confused } = JSON.parse(stdout);
    assert(worst.sheet.endsWith("/run/worst.png"));
    const losses: ImageAnswer[] = worst.losses;
    assertEquals(losses.length, 4);
    losses.forEach((one, i) =>
      assert(i === 0 || one.loss <= losses[i - 1]!.loss)
    );
    assert(losses[0]!.loss >= loss);
    assertEquals(worst.confused[0].label, confused[0].label);
    for (const { label, predicted, shown } of worst.confused) {
      for (const one of shown) {
        assertEquals([one.label, one.predicted], [label, predicted]);
      }
    }
    const sheet = await decodeImage(
      await Deno.readFile(`${folder}/run/worst.png`),
    );
    assert(sheet.width > 1000 && sheet.height > 300);
    const shown = await runCommand("eval", [
      "--checkpoint=run",
      "--worst=2",
      "--out=sheet.png",
      "--device=cpu",
    ], { folder });
    assertEquals([shown.code, shown.stderr], [0, ""]);
    assert(shown.stdout.endsWith("\nThe worst answers: sheet.png\n"));
  }));

Deno.test("eval refuses a sheet that cannot be written before it tests", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    const flags = ["--checkpoint=run", "--device=cpu"];
    await assertRefused(
      "eval",
      [...flags, "--worst=2", "--out=nowhere/sheet.png"],
      /Cannot write \S*nowhere\/sheet.png: its folder does not exist/,
      { folder },
    );
    await assertRefused(
      "eval",
      [...flags, "--worst=2", "--out=run/checkpoint.safetensors"],
      /Cannot write run\/checkpoint.safetensors/,
      { folder },
    );
    await assertRefused(
      "eval",
      [...flags, "--out=sheet.png"],
      /expected --worst N beside it/,
      { folder },
    );
  }));

Deno.test("evaluate() tells of each image what adds up to the whole", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
  const shapes = shapesDataset("test", { size: 16, length: 30 });
  const answers: ImageAnswer[] = [];
  const worst = new WorstAnswers(3);
  const evaluation = await evaluate(network, shapes, {
    batchSize: 7,
    onAnswer: (answer) => {
      answers.push(answer);
      worst.add(answer);
    },
  });
  assertEquals(
    answers.map(({ index }) => index),
    Array.from({ length: 30 }, (_, i) => i),
  );
  const right = answers.filter(({ label, predicted }) => label === predicted);
  assertEquals(right.length, evaluation.correct);
  const mean = answers.reduce((sum, { loss }) => sum + loss, 0) / 30;
  assert(Math.abs(mean - evaluation.loss) < 1e-9);
  const expected = answers.toSorted((a, b) => b.loss - a.loss).slice(0, 3);
  assertEquals(worst.worst(evaluation).losses, expected);
});
