import { existsSync } from "node:fs";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  datasetOf,
  encodePng,
  Network,
  openDevice,
  train,
  trainingConfig,
  vgg,
} from "../../mod.ts";
import { bytes, noise, write } from "../data/_helpers.ts";
import { assertRefused, runCommand, withFolder } from "./_run_command.ts";

/** Two classes that differ in brightness, and a file that is no picture. */
function pictures(folder: string): void {
  for (const [name, least] of [["dark", 0], ["light", 128]] as const) {
    for (let i = 0; i < 20; i++) {
      const data = noise(16 * 16 * 3, i).map((v) => least + (v >> 1));
      const image = { height: 16, width: 16, channels: 3, data } as const;
      write(`${folder}/${name}/${i}.png`, encodePng(image));
    }
  }
  write(`${folder}/dark/broken.png`, bytes(1, 2, 3));
  write(`${folder}/light/broken.png`, bytes(1, 2, 3));
}

Deno.test("train and eval take a folder of pictures and list what is unreadable", () =>
  withFolder(async (folder) => {
    pictures(`${folder}/in`);
    const flags = ["--dataset=folder", `--data-dir=${folder}/in`];
    const small = [
      ...["--model=tiny", "--image-size=16", "--batch-size=8", "--epochs=1"],
      ...["--device=cpu", "--test-fraction=0.5", `--out=${folder}/run`],
    ];
    const trained = await runCommand("train", [...flags, ...small]);
    assertEquals(trained.code, 0, trained.stderr);
    assertStringIncludes(
      trained.stdout,
      "Data: folder, 20 images to train and 22 to test, 2 classes",
    );
    assertMatch(
      trained.stderr,
      /2 files could not be read and counted nowhere:\n {2}Cannot read .*broken\.png: /,
    );
    // The run remembers the split: half of each class.
    const tested = await runCommand("eval", [
      `--checkpoint=${folder}/run`,
      "--device=cpu",
      "--json",
    ]);
    assertEquals(tested.code, 0, tested.stderr);
    const result = JSON.parse(tested.stdout);
    const unread = /(\d) files? could not/.exec(tested.stderr)?.[1] ?? "0";
    assertEquals(result.images, 22 - Number(unread));
    await assertRefused(
      "train",
      [...flags, ...small, "--strict", `--out=${folder}/strict`],
      /broken\.png: found first bytes 01 02 03, expected a PNG, JPEG/,
    );
  }));

Deno.test("train says what it took for what, and names no preset that it does not use", () =>
  withFolder(async (folder) => {
    for (const [name, count] of [["dark", 2], ["light", 30]] as const) {
      for (let i = 0; i < count; i++) {
        const image = { height: 8, width: 8, channels: 3 } as const;
        const data = noise(192, i);
        write(
          `${folder}/in/train/${name}/${i}.png`,
          encodePng({ ...image, data }),
        );
        if (i > 1) continue;
        write(
          `${folder}/in/VAL/${name}/${i}.png`,
          encodePng({ ...image, data }),
        );
      }
    }
    const { code, stdout, stderr } = await runCommand("train", [
      ...["--dataset=folder", `--data-dir=${folder}/in`, "--model=tiny"],
      ...["--image-size=8", "--batch-size=8", "--epochs=1", "--device=cpu"],
      `--out=${folder}/run`,
    ]);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, `  ${folder}/in/VAL is tested on\n`);
    assertStringIncludes(
      stdout,
      "  Classes are uneven: light has 30 images (93.8 % of all), dark 2\n",
    );
    assertEquals(stdout.includes("Preset"), false);
    Deno.removeSync(`${folder}/in/train/dark`, { recursive: true });
    Deno.removeSync(`${folder}/in/VAL/dark`, { recursive: true });
    await assertRefused(
      "train",
      [
        ...["--dataset=folder", `--data-dir=${folder}/in`, "--model=tiny"],
        ...["--batch-size=8", "--device=cpu", `--out=${folder}/one`],
      ],
      /found one class alone, "light", expected at least 2/,
    );
    assertEquals(existsSync(`${folder}/one`), false);
  }));

Deno.test("eval and train --resume say that a script's own data is for that script", () =>
  withFolder(async (folder) => {
    const classes = ["a", "b"];
    const dataset = datasetOf({
      ...{ images: noise(8 * 192), labels: [0, 1, 0, 1, 0, 1, 0, 1], classes },
      ...{ height: 8, width: 8, name: "mine" },
    });
    {
      using device = openDevice("cpu", { threads: 1 });
      using network = new Network(device, vgg([4, "M", 8], { classes: 2 }));
      const config = trainingConfig({ imageSize: 8, batchSize: 4, epochs: 1 });
      await train(network, dataset, { config, folder: `${folder}/run` });
    }
    const sentence =
      /Cannot open data set "mine": only the script that trained on it can/;
    for (
      const [name, flag] of [["eval", "checkpoint"], [
        "train",
        "resume",
      ]] as const
    ) {
      const flags = [`--${flag}=${folder}/run`, "--device=cpu"];
      await assertRefused(name, flags, sentence);
    }
  }));

Deno.test("docs/data.md's script runs", () =>
  withFolder(async (folder) => {
    const docs = new URL("../../docs/data.md", import.meta.url);
    const script = /```ts\n([\s\S]*?)```/.exec(Deno.readTextFileSync(docs))![1]!
      .replace("./mod.ts", new URL("../../mod.ts", import.meta.url).href);
    Deno.writeTextFileSync(`${folder}/script.ts`, script);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--check", "-A", `${folder}/script.ts`],
      env: { NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals([text(stdout), text(stderr)], ["1\n", ""]);
  }));

Deno.test("train takes --test-fraction for folders alone", () =>
  assertRefused(
    "train",
    ["--dataset=shapes", "--test-fraction=0.5"],
    /only --dataset folder takes them/,
  ));

Deno.test("train, eval, predict and cam take images with several labels", () =>
  withFolder(async (folder) => {
    const rows = ["path,labels,split"];
    for (let i = 0; i < 24; i++) {
      const [above, below] = [i % 2, (i >> 1) % 2];
      const data = new Uint8Array(16 * 16 * 3);
      data.fill(200 * above, 0, data.length / 2);
      data.fill(200 * below, data.length / 2);
      const image = { height: 16, width: 16, channels: 3, data } as const;
      write(`${folder}/${i}.png`, encodePng(image));
      const labels = [above ? "above" : "", below ? "below" : ""]
        .filter((label) => label);
      rows.push(`${i}.png,${labels.join("|")},${i < 16 ? "train" : "test"}`);
    }
    const list = `${folder}/list.csv`;
    write(list, new TextEncoder().encode(rows.join("\n")));
    const flags = [
      ...["--dataset=folder", `--data-dir=${list}`, "--model=tiny"],
      ...["--image-size=16", "--batch-size=8", "--epochs=2", "--device=cpu"],
      ...["--class-weights=balanced", "--validation-fraction=0.25"],
    ];
    const run = `${folder}/run`;
    const trained = await runCommand("train", [...flags, `--out=${run}`]);
    assertEquals(trained.code, 0, trained.stderr);
    assertMatch(trained.stdout, /Labels on folder, test split/);
    assertMatch(trained.stdout, /above {2}average precision {2}[ .0-9]+ %/);
    const tested = await runCommand("eval", [`--checkpoint=${run}`, "--json"]);
    assertEquals(tested.code, 0, tested.stderr);
    const { images, meanAveragePrecision, classes } = JSON.parse(tested.stdout);
    assertEquals([images, classes.length], [8, 2]);
    assertEquals(meanAveragePrecision > 0 && meanAveragePrecision <= 1, true);
    // Each class by itself: both may be likely, or none.
    const said = await runCommand("predict", [
      ...[`--checkpoint=${run}`, "--json", `${folder}/3.png`],
    ]);
    assertEquals(said.code, 0, said.stderr);
    const maps = await runCommand("cam", [
      ...[`--checkpoint=${run}`, "--index=3", `--out=${folder}/cam`],
      "--json",
    ]);
    assertEquals(maps.code, 0, maps.stderr);
    // It shows both, so that whichever is likelier is right.
    const [, real, predicted] =
      /"real":"(\w+)","predicted":"(\w+)"/.exec(maps.stdout) ?? [];
    assertEquals([typeof real, real], ["string", predicted]);
    const resumed = await runCommand("train", [
      ...["--resume", run, "--epochs=3", "--device=cpu"],
    ]);
    assertEquals(resumed.code, 0, resumed.stderr);
    const several = /which has several labels an image, with /.source;
    for (
      const [flag, sentence] of [
        ["--mixup=0.2", `${several}mixup: expected none`],
        ["--cutmix=1", `${several}cutmix: expected none`],
        ["--balance", `${several}balance: expected weights of classes`],
        ["--loss=cross-entropy", `${several}the loss crossEntropy: expected`],
      ] as const
    ) {
      await assertRefused(
        "train",
        [...flags, flag, `--out=${folder}/refused`],
        new RegExp(sentence),
      );
    }
    assertEquals(existsSync(`${folder}/refused`), false);
  }));
