import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { readCheckpoint, readRunLog } from "../../mod.ts";
import {
  assertRefused,
  runCommand,
  SMALL,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

const BEST = "best.safetensors", LAST = "checkpoint.safetensors";

Deno.test("train --validation-fraction keeps the best; eval, cam and export take it and say so, but not with --last", () =>
  withFolder(async (folder) => {
    const run = `${folder}/run`;
    const trained = await runCommand("train", [
      ...SMALL,
      "--train-limit=50",
      "--epochs=3",
      "--validation-fraction=0.2",
      "--best-by=loss",
      `--out=${run}`,
    ]);
    assertEquals([trained.code, trained.stderr], [0, ""]);
    assertStringIncludes(
      trained.stdout,
      "40 images to train, 10 to validate and 20 to test",
    );
    assertMatch(
      trained.stdout,
      /\n {2}validation: loss \d\.\d{3}, accuracy \d+\.\d\d %, the best so far\n/,
    );
    assertMatch(trained.stdout, /\nTesting the best network, of epoch [123]\n/);
    const { progress } = await readCheckpoint(`${run}/${BEST}`);
    const flags = ["--checkpoint", run, "--device=cpu"];
    for (const command of ["eval", "cam"]) {
      const best = await runCommand(command, flags);
      assertStringIncludes(
        best.stdout,
        `${BEST} (tiny, after ${progress.step} steps, the best by loss; ` +
          "--last takes the last)",
      );
      const last = await runCommand(command, [...flags, "--last"]);
      assertStringIncludes(last.stdout, `${LAST} (tiny, after 12 steps)`);
    }
    const held = await runCommand("eval", [...flags, "--split=validation"]);
    assertStringIncludes(held.stdout, " of all 10 images");
    const out = `${folder}/network.safetensors`;
    const write = ["--checkpoint", run, "--out", out];
    assertStringIncludes(
      (await runCommand("export", write)).stdout,
      `Exported ${run}/${BEST}`,
    );
    assertStringIncludes(
      (await runCommand("export", [...write, "--last"])).stdout,
      `Exported ${run}/${LAST}`,
    );
    await assertRefused(
      "export",
      ["--checkpoint", run, "--out", `${run}/${BEST}`],
      /it is the file that is read/,
    );
    // Patience may change; what is held out may not.
    const resume = ["--resume", run, "--device=cpu"];
    await assertRefused(
      "train",
      [...resume, "--validation-fraction=0.3"],
      /Cannot resume with --validation-fraction/,
    );
    const elsewhere = `${folder}/other`;
    const resumed = await runCommand("train", [
      ...resume,
      "--epochs=4",
      "--patience=9",
      `--out=${elsewhere}`,
    ]);
    assertEquals(resumed.code, 0, resumed.stderr);
    assertStringIncludes(resumed.stdout, "10 to validate");
    assertEquals(
      [...Deno.readDirSync(elsewhere)].map(({ name }) => name).sort(),
      [
        BEST,
        LAST,
        "film.jsonl",
        "log.jsonl",
      ],
    );
  }));

Deno.test("train refuses patience without validation, in one sentence", () =>
  withFolder(async (folder) => {
    await assertRefused(
      "train",
      [...SMALL, "--patience=2", `--out=${folder}/run`],
      /^error: Cannot train with a patience of 2 epochs: found no images to validate on/,
    );
    assertEquals([...Deno.readDirSync(folder)], []);
    await assertRefused(
      "train",
      [
        ...SMALL,
        "--train-limit=11",
        "--validation-fraction=0.5",
        `--out=${folder}/run`,
      ],
      /found a single image of ring, square, frame and 6 more, expected one to train on and one to validate on/,
    );
  }));

Deno.test("train validates on the val of a folder, without being told", () =>
  withFolder(async (folder) => {
    const pictures = `${folder}/pictures`;
    const { encodePng } = await import("../../mod.ts");
    for (
      const [split, count] of [["train", 4], ["val", 2], ["test", 1]] as const
    ) {
      for (const [name, grey] of [["dark", 20], ["light", 220]] as const) {
        await Deno.mkdir(`${pictures}/${split}/${name}`, { recursive: true });
        for (let i = 0; i < count; i++) {
          await Deno.writeFile(
            `${pictures}/${split}/${name}/${i}.png`,
            encodePng({
              width: 8,
              height: 8,
              channels: 3,
              data: new Uint8Array(192).fill(grey + i),
            }),
          );
        }
      }
    }
    const flags = [
      "--dataset=folder",
      `--data-dir=${pictures}`,
      "--model=tiny",
      "--image-size=8",
      "--batch-size=4",
      "--device=cpu",
      "--epochs=1",
    ];
    const judged = await runCommand("train", [...flags, `--out=${folder}/a`]);
    assertStringIncludes(judged.stdout, "8 images to train, 4 to validate");
    assert(judged.stdout.includes("  validation: loss"), judged.stderr);
    // The same pictures by a list of their own.
    await Deno.writeTextFile(
      `${pictures}/list.csv`,
      "path,label,split\n" +
        ["train", "val", "test"].flatMap((split) =>
          ["dark", "light"].map((name) =>
            `${split}/${name}/0.png,${name},${split}\n`
          )
        ).join(""),
    );
    const listed = await runCommand("train", [
      ...flags.map((flag) =>
        flag.startsWith("--data-dir") ? `${flag}/list.csv` : flag
      ),
      "--batch-size=2",
      `--out=${folder}/c`,
    ]);
    assertStringIncludes(
      listed.stdout,
      "2 images to train, 2 to validate and 2 to test, 2 classes",
    );
    const not = await runCommand("train", [
      ...flags,
      "--validation-fraction=0",
      `--out=${folder}/b`,
    ]);
    assertStringIncludes(not.stdout, "8 images to train and 2 to test");
  }));

Deno.test("train --ema-decay tests the average, which eval, --tta and --init take", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder, "--ema-decay=0.9");
    const flags = [
      "--checkpoint",
      run,
      "--device=cpu",
      "--limit=20",
      "--json",
    ];
    const trained = await readRunLog(`${run}/log.jsonl`).at(-1)!;
    assert(trained.event === "evaluation");
    const shown = JSON.parse((await runCommand("eval", flags)).stdout);
    assertEquals([shown.loss, shown.images], [trained.loss, 20]);
    const flipped = await runCommand("eval", [...flags, "--tta"]);
    assert(JSON.parse(flipped.stdout).loss !== shown.loss);
    const started = await runCommand("train", [
      ...SMALL,
      `--init=${run}`,
      "--epochs=0",
      `--out=${folder}/next`,
    ]);
    assertStringIncludes(started.stdout, "Weights: 14 tensors from");
    assert(!started.stdout.includes("not used"), started.stdout);
    const [first, second] = await Promise.all(
      [run, `${folder}/next`].map((path) =>
        readCheckpoint(`${path}/checkpoint.safetensors`)
      ),
    );
    assertEquals(second!.parameters, first!.parameters);
    await assertRefused(
      "train",
      [...SMALL, "--ema-decay=1", `--out=${folder}/none`],
      /Cannot train with emaDecay 1: expected a number above 0 and below 1/,
    );
  }));

Deno.test("train without validation writes no best network", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    assertEquals([...Deno.readDirSync(run)].map(({ name }) => name).sort(), [
      LAST,
      "film.jsonl",
      "log.jsonl",
    ]);
  }));
