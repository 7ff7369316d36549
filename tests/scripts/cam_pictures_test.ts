import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { encodePng, type Image } from "../../mod.ts";
import { decodeImage } from "../../src/image/decode_image.ts";
import { resizeMap } from "../../src/image/resize_map.ts";
import {
  assertRefused,
  runCommand,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

const CAM = ["--checkpoint=run", "--device=cpu"];

async function pictureOf(path: string): Promise<Image> {
  return await decodeImage(await Deno.readFile(path));
}

async function photograph(path: string, seed: number): Promise<void> {
  const data = Uint8Array.from(
    { length: 20 * 30 * 3 },
    (_, i) => (i * seed * 7) % 251,
  );
  await Deno.writeFile(
    path,
    encodePng({ width: 30, height: 20, channels: 3, data }),
  );
}

function namesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

Deno.test("cam --style notebook draws the notebook's picture, pixel for pixel", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const { code, stdout } = await runCommand("cam", [
      ...CAM,
      "--index=3",
      "--style=notebook",
      "--raw",
    ], { folder });
    assertEquals(code, 0);
    assertStringIncludes(stdout, "run/cam/3-cam-notebook.png\n");
    const plain = await pictureOf(`${run}/cam/3-plain.png`);
    const cam = await pictureOf(`${run}/cam/3-cam-notebook.png`);
    const npy = await Deno.readFile(`${run}/cam/3-map.npy`);
    const map = new Float32Array(npy.slice(128).buffer);
    const side = Math.sqrt(map.length);
    assertMatch(
      new TextDecoder("latin1").decode(npy.subarray(0, 128)),
      new RegExp(`'shape': \\(${side}, ${side}\\), } +\n$`),
    );
    // The notebook: minus the minimum, divided by the maximum, resized, jet, 0.4.
    const least = Math.min(...map);
    const range = Math.fround(Math.max(...map) - least);
    const data = map.map((value) => (value - least) / range);
    const scaled = resizeMap({ height: side, width: side, data }, 224, 224);
    const jet = new Float64Array(
      (await Deno.readFile(
        new URL("../fixtures/image/colormaps.bin", import.meta.url),
      )).buffer,
    );
    let worst = 0;
    for (let i = 0; i < 224 * 224; i++) {
      const entry = Math.min(Math.floor(scaled.data[i]! * 256), 255);
      for (let c = 0; c < 3; c++) {
        const mixed = 0.6 * plain.data[3 * i + c]! +
          0.4 * 255 * jet[3 * entry + c]!;
        const difference = Math.abs(Math.round(mixed) - cam.data[3 * i + c]!);
        worst = Math.max(worst, difference);
      }
    }
    assertEquals(worst, 0);
  }));

Deno.test("cam overwrites nothing that other choices drew", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const choices = [
      [],
      ["--class=ring"],
      ["--class=dots"],
      ["--signed"],
      ["--colormap=turbo"],
      ["--alpha=0.3"],
      ["--style=notebook"],
      ["--size=100"],
      ["--split=train"],
    ];
    const seen = new Map<string, string>();
    for (const choice of choices) {
      const { code, stdout, stderr } = await runCommand("cam", [
        ...CAM,
        ...choice,
        "--json",
      ], { folder });
      assertEquals([code, stderr], [0, ""]);
      const [{ files }] = JSON.parse(stdout).images;
      for (const file of files) {
        const bytes = (await Deno.readFile(file)).toHex();
        // The image alone is the same for whatever is drawn upon it.
        if (seen.has(file)) assertMatch(file, /\/3-plain.png$/);
        seen.set(file, bytes);
      }
    }
    const cams = namesIn(`${run}/cam`).filter((name) => name.includes("-cam"));
    assertEquals(cams.length, choices.length);
    assert(cams.includes("3-cam-ring.png") && cams.includes("train-3-cam.png"));
  }));

Deno.test("cam refuses to draw around zero with what has no middle", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    await assertRefused(
      "cam",
      [...CAM, "--signed", "--colormap=jet"],
      /Cannot draw a signed map in jet: it has no middle for zero/,
      { folder },
    );
    await assertRefused(
      "cam",
      [...CAM, "--signed", "--style=notebook"],
      /Cannot draw a signed map in the notebook's style/,
      { folder },
    );
  }));

Deno.test("cam draws the photographs that can be read, lists the others and ends with 1", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    const photos = `${folder}/photos`;
    await Deno.mkdir(`${photos}/more`, { recursive: true });
    await photograph(`${photos}/a.png`, 1);
    await photograph(`${photos}/b.png`, 2);
    await photograph(`${photos}/3.png`, 3);
    await photograph(`${photos}/more/a.png`, 4);
    await photograph(`${photos}/.hidden.png`, 5);
    await Deno.writeTextFile(`${photos}/notes.txt`, "no picture");
    const bytes = await Deno.readFile(`${photos}/a.png`);
    await Deno.writeFile(`${photos}/cut.png`, bytes.slice(0, 200));
    const { code, stdout, stderr } = await runCommand("cam", [
      ...CAM,
      "--out=drawn",
      "--image=photos",
      "photos/more/a.png",
      "missing.png",
    ], { folder });
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^error: 2 of 6 images could not be explained:\n {2}Cannot read \S+cut.png: [^\n]+\n {2}Cannot read \S+missing.png: no such file\n$/,
    );
    assertStringIncludes(stdout, "drawn/sheet.png");
    assertEquals(
      namesIn(`${folder}/drawn`).filter((name) => name.includes("-cam")),
      ["a-2-cam.png", "a-cam.png", "b-cam.png", "photograph-3-cam.png"],
    );
    const json = await runCommand("cam", [
      ...CAM,
      "--out=drawn",
      "--json",
      "--image=photos/",
    ], { folder });
    assertEquals(json.code, 1);
    const { images, failures } = JSON.parse(json.stdout);
    assertEquals([images.length, failures.length], [3, 1]);
    assertEquals(failures[0].index, `${folder}/photos/cut.png`);
    await assertRefused(
      "cam",
      [...CAM, "--image=missing.png"],
      /^error: Cannot read \S+missing.png: no such file/,
      { folder },
    );
    await Deno.mkdir(`${folder}/empty`);
    await assertRefused(
      "cam",
      [...CAM, "--image=empty"],
      /^error: Cannot find photographs: folder "empty" holds none/,
      { folder },
    );
  }));

Deno.test("cam draws names in any script, and says nothing with a question mark", () =>
  withFolder(async (folder) => {
    for (const split of ["train", "test"]) {
      for (const name of ["щенок", "κουτάβι", "犬"]) {
        const place = `${folder}/data/${split}/${name}`;
        await Deno.mkdir(place, { recursive: true });
        for (const seed of [1, 2]) {
          await photograph(`${place}/${seed}.png`, seed);
        }
      }
    }
    const data = [`--data-dir=${folder}/data`, "--batch-size=6"];
    await trainSmall(folder, "--dataset=folder", ...data);
    const { code, stdout, stderr } = await runCommand("cam", [
      ...CAM,
      "--indices=0-5",
      "--class=犬",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assert(!stdout.includes("?"));
    assertStringIncludes(stdout, "run/cam/0-cam-犬.png");
    assertMatch(stdout, /REAL : щенок/);
  }));

Deno.test("cam writes a sheet for each hundred images, as they are made", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder, "--test-limit=130");
    const { code, stdout, stderr } = await runCommand("cam", [
      ...CAM,
      "--indices=0-119",
      "--size=16",
      "--dataset=shapes",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    const lines = stdout.trimEnd().split("\n");
    assertEquals(lines.filter((line) => line.startsWith("ANS : ")).length, 120);
    assertEquals(lines.slice(-5, -2), [
      "run/cam/sheet-size16.png",
      "run/cam/sheet-size16-2.png",
      "360 pictures in run/cam",
    ]);
    const first = await pictureOf(`${run}/cam/sheet-size16.png`);
    const second = await pictureOf(`${run}/cam/sheet-size16-2.png`);
    assert(first.height > second.height);
  }));
