import { existsSync } from "node:fs";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodePng } from "../../mod.ts";
import { testImage } from "../image/_reference.ts";
import {
  assertRefused,
  runCommand,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

const FLAGS = ["--checkpoint=run", "--device=cpu", "--threads=1"];

async function photographs(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/photos`);
  for (
    const [name, height, width] of [
      ["a", 20, 31],
      ['b, "old"', 40, 9],
    ] as const
  ) {
    const bytes = encodePng(testImage(height, width, 3));
    await Deno.writeFile(`${folder}/photos/${name}.png`, bytes);
  }
  await Deno.writeTextFile(`${folder}/photos/page.jpg`, "<!DOCTYPE html><p>");
}

Deno.test("predict prints a table of photographs, keeps it as CSV and lists what cannot be read", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    await photographs(folder);
    const { code, stdout, stderr } = await runCommand("predict", [
      ...FLAGS,
      "photos/*.png",
      "photos",
      "--csv=table.csv",
    ], { folder });
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^error: 1 of 3 images could not be read:\n {2}Cannot read \S+page.jpg: found a web page[^\n]*\n$/,
    );
    const lines = stdout.trimEnd().split("\n");
    assertMatch(lines[0]!, /^image +answer +2 +3$/);
    assertMatch(lines[1]!, /^photos\/a.png {9}([a-z]+ +[\d.]+ %( {2}|$)){3}$/);
    assertMatch(lines[2]!, /^photos\/b, "old".png {2}[a-z]+ /);
    assertEquals(lines[3], "2 rows: table.csv");
    assertMatch(lines[4]!, /^Checkpoint: run\/checkpoint.safetensors \(tiny, /);
    const csv = (await Deno.readTextFile(`${folder}/table.csv`)).split("\r\n");
    assertEquals(
      csv[0],
      "image,class1,probability1,class2,probability2,class3,probability3",
    );
    assertMatch(csv[1]!, /^\S+\/photos\/a.png(,[a-z]+,0\.\d+){3}$/);
    assertMatch(csv[2]!, /^"\S+\/photos\/b, ""old"".png"(,[a-z]+,0\.\d+){3}$/);
    assertEquals(csv.slice(3), [""]);
  }));

Deno.test("predict --json and --cam say the same of a data set's split as cam does", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    const said = [];
    for (const more of [[], ["--cam", "--out=maps"], ["--batch-size=2"]]) {
      const { code, stdout, stderr } = await runCommand("predict", [
        ...FLAGS,
        ...["--split=train", "--limit=4", "--top=5", "--json", ...more],
      ], { folder });
      assertEquals([code, stderr], [0, ""]);
      said.push(JSON.parse(stdout).images);
    }
    assertEquals(
      said[1].map(({ files }: { files: string[] }) => files[0]),
      [0, 1, 2, 3].map((i) => `${folder}/maps/train-${i}-cam.png`),
    );
    for (const file of said[1][3].files) assert(existsSync(file));
    const cam = await runCommand("cam", [
      ...FLAGS,
      ...["--split=train", "--indices=0-3", "--json"],
    ], { folder });
    const { images } = JSON.parse(cam.stdout);
    for (const [i, { real, top }] of images.entries()) {
      for (const answers of said) {
        assertEquals([answers[i].image, answers[i].label], [i, real]);
        assertEquals(answers[i].top.length, 5);
        top.forEach(
          (one: { class: string; probability: number }, k: number) => {
            assertEquals(answers[i].top[k].class, one.class);
            const { probability } = answers[i].top[k];
            assert(Math.abs(probability - one.probability) < 1e-5);
          },
        );
      }
    }
  }));

Deno.test("predict refuses what it could not do, before it begins", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    await photographs(folder);
    await Deno.mkdir(`${folder}/empty`);
    for (
      const [flags, sentence] of [
        [["--top=0"], /^error: --top takes a whole number at least 1, not "0"/],
        [
          ["--csv=no/table.csv"],
          /^error: Cannot write \S+no\/table.csv: its folder does not exist/,
        ],
        [["--csv=photos"], /^error: Cannot write \S+photos: it is a folder/],
        [
          ["--csv=run/checkpoint.safetensors"],
          /^error: Cannot write run\/checkpoint.safetensors: it is the file that is read/,
        ],
        [
          ["--csv=photos/a.png", "photos/a.png"],
          /^error: Cannot write photos\/a.png: it is one of the files to look at/,
        ],
        [
          ["photos/a.png", "--split=train"],
          /^error: Cannot take files and --split together/,
        ],
        [
          ["--out=maps"],
          /^error: Cannot put pictures into --out without --cam/,
        ],
        [
          ["empty"],
          /^error: Cannot find photographs: folder "empty" holds none/,
        ],
        [["*.gif"], /^error: Cannot find photographs: no file fits/],
        [["missing.png"], /^error: Cannot read \S+missing.png: no such file/],
      ] as const
    ) {
      // Nothing is printed where nothing can come of it.
      await assertRefused("predict", [...FLAGS, ...flags], sentence, {
        folder,
      });
    }
  }));
