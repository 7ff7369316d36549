import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodePng } from "../../mod.ts";
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
      /broken\.png: found first bytes 01 02 03, expected a PNG or JPEG file/,
    );
  }));

Deno.test("train takes --test-fraction for folders alone", () =>
  assertRefused(
    "train",
    ["--dataset=shapes", "--test-fraction=0.5"],
    /only --dataset folder takes them/,
  ));
