import { existsSync } from "node:fs";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { decodeImage, encodePng, type Image } from "../../src/image/mod.ts";
import { trainingConfig, writeCheckpoint } from "../../mod.ts";
import { noTotals } from "../../src/train/checkpoint.ts";
import { redInput, redModel, redState } from "../explain/_known_map.ts";
import {
  assertRefused,
  runCommand,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

const RUN = ["--checkpoint=run", "--device=cpu", "--threads=1"];
const RED = ["--checkpoint=red.safetensors", "--device=cpu", "--threads=1"];

async function writeRed(folder: string, classes: string[]): Promise<void> {
  await writeCheckpoint(`${folder}/red.safetensors`, {
    modelName: "red",
    model: redModel,
    classes,
    dataset: { name: "none" },
    training: trainingConfig({ ...redInput, imageSize: 40 }),
    progress: {
      ...{ epoch: 1, batch: 0, step: 1 },
      ...{ epochTotals: noTotals(), intervalTotals: noTotals() },
    },
    parameters: redState,
    optimiserState: new Map(),
  });
}

/** Black, with a red square and a smaller one that does not touch it. */
function squares(height: number, width: number): Image {
  const data = new Uint8Array(height * width * 3);
  const paint = (top: number, left: number, side: number) => {
    for (let y = top; y < top + side; y++) {
      for (let x = left; x < left + side; x++) data[3 * (y * width + x)] = 250;
    }
  };
  paint(30, 50, 20);
  paint(5, 45, 6);
  return { height, width, channels: 3, data };
}

function sizeOf(png: Uint8Array): number[] {
  const view = new DataView(png.buffer, png.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}

Deno.test("cam --top draws the maps of the likeliest classes in one picture, each proved", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const { code, stdout, stderr } = await runCommand("cam", [
      ...[...RUN, "--indices=1,3", "--top=3", "--json"],
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    const { images, sheet } = JSON.parse(stdout);
    assertEquals(sheet, `${run}/cam/sheet-top3.png`);
    for (const image of images) {
      assertEquals(image.maps.length, 3);
      for (const [i, map] of image.maps.entries()) {
        const { index, class: name, probability } = image.top[i];
        assertEquals(
          [map.index, map.class, map.probability],
          [index, name, probability],
        );
        assert(map.residual < 1e-5 && map.placeResidual < 1e-5);
        assert(map.minimum <= map.maximum);
      }
      assertEquals(image.maps[0].logit, image.logit);
      assertEquals(image.files[0], `${run}/cam/${image.index}-cam-top3.png`);
      // The image and three maps in a row, and a colour bar.
      const [width, height] = sizeOf(await Deno.readFile(image.files[0]));
      assert(width! > 4 * 224 && width! < 5 * 224, `${width}`);
      assert(height! > 224 && height! < 2 * 224, `${height}`);
    }
    for (
      const [flags, other] of [
        [["--class=ring"], "--class"],
        [["--against=ring"], "--against"],
        [["--style=notebook"], "--style notebook"],
      ] as const
    ) {
      await assertRefused(
        "cam",
        [...RUN, "--top=3", ...flags],
        new RegExp(`^error: Cannot take --top and ${other} together: `),
        { folder },
      );
    }
    await assertRefused(
      "cam",
      [...RUN, "--top=0"],
      /^error: --top takes a whole number at least 1 and at most 12, not "0"/,
      { folder },
    );
  }));

Deno.test("cam --against proves the difference of two logits and draws it around zero", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const logitOf = async (name: string) => {
      const { stdout } = await runCommand("cam", [
        ...[...RUN, "--index=3", `--class=${name}`, "--json"],
      ], { folder });
      return JSON.parse(stdout).images[0].logit as number;
    };
    const [ring, disc] = [await logitOf("ring"), await logitOf("disc")];
    const flags = [...RUN, "--index=3", "--class=ring", "--against=disc"];
    const { code, stdout } = await runCommand("cam", [...flags, "--json"], {
      folder,
    });
    assertEquals(code, 0);
    const [image] = JSON.parse(stdout).images;
    assertEquals([image.class, image.against], ["ring", "disc"]);
    assert(Math.abs(image.logit - (ring - disc)) < 1e-6);
    assert(image.residual < 1e-5 && image.placeResidual < 1e-5);
    assertEquals(image.scale[0], -image.scale[1]);
    assertEquals(image.files[0], `${run}/cam/3-cam-ring-against-disc.png`);
    const text = new TextDecoder("latin1").decode(
      await Deno.readFile(image.files[0]),
    );
    assertStringIncludes(text, "tEXtAgainst\0disc");
    const shown = await runCommand("cam", flags, { folder });
    assertMatch(shown.stdout, /^ANS : .* {2}\(map of ring against disc\)\n/);
    // Where the answer is that class, the next likeliest is what it is held against.
    const predicted = image.predicted;
    const own = await runCommand("cam", [
      ...[...RUN, "--index=3", `--against=${predicted}`, "--json"],
    ], { folder });
    const [against] = JSON.parse(own.stdout).images;
    assertEquals(
      [against.class, against.against],
      [against.top[1].class, predicted],
    );
    assert(against.logit < 0);
    await assertRefused(
      "cam",
      [...RUN, "--class=ring", "--against=ring"],
      /^error: Cannot explain images: found class 1 compared with itself/,
      { folder },
    );
    await assertRefused(
      "cam",
      [...RUN, "--against=ring", "--colormap=jet"],
      /^error: Cannot draw a signed map in jet: it has no middle for zero/,
      { folder },
    );
  }));

Deno.test("cam --boxes boxes the largest part that speaks for the class, in pixels of the photograph", () =>
  withFolder(async (folder) => {
    await writeRed(folder, ["red", "other"]);
    await Deno.writeFile(
      `${folder}/squares.png`,
      encodePng(squares(80, 120)),
    );
    for (const fit of ["crop", "stretch", "pad", "whole"]) {
      for (const more of [[], ["--full-size"]]) {
        const { code, stdout, stderr } = await runCommand("cam", [
          ...[...RED, `--fit=${fit}`, ...more, "--boxes", "--json"],
          ...["--class=red", "--image=squares.png"],
        ], { folder });
        assertEquals([code, stderr], [0, ""]);
        const [{ box, files }] = JSON.parse(stdout).images;
        // Shrunk to 40 pixels and back, edges are off by a pixel of the 40.
        const wanted = { top: 30, left: 50, height: 20, width: 20 };
        for (const [name, value] of Object.entries(wanted)) {
          assert(
            Math.abs(box[name] - value) <= 6,
            `${fit} ${name} ${box[name]}`,
          );
        }
        // The same box is drawn, in its colour.
        const overlay = await decodeImage(await Deno.readFile(files[1]));
        let [left, right] = [overlay.width, 0];
        for (let i = 0; i < overlay.data.length; i += 3) {
          const [r, g, b] = overlay.data.subarray(i, i + 3);
          if (r !== 0 || g !== 255 || b !== 190) continue;
          const x = (i / 3) % overlay.width;
          [left, right] = [Math.min(left, x), Math.max(right, x)];
        }
        const view = fit === "crop" && more.length === 0
          ? { left: 20, width: 80 }
          : { left: 0, width: 120 };
        const scale = overlay.width / view.width;
        assert(Math.abs(left - (box.left - view.left) * scale) <= 1);
        const end = (box.left + box.width - view.left) * scale;
        assert(Math.abs(right + 1 - end) <= 1);
      }
    }
    // Nothing speaks for what red speaks against.
    const none = await runCommand("cam", [
      ...[...RED, "--boxes", "--json", "--class=other", "--image=squares.png"],
    ], { folder });
    assertEquals(JSON.parse(none.stdout).images[0].box, null);
  }));

Deno.test("cam --html writes one page that holds all it shows", () =>
  withFolder(async (folder) => {
    await writeRed(folder, ["<b>red</b>", "other & more"]);
    await Deno.writeFile(`${folder}/a"b.png`, encodePng(squares(80, 120)));
    await Deno.writeFile(`${folder}/c.png`, encodePng(squares(80, 90)));
    const { code, stdout, stderr } = await runCommand("cam", [
      ...[...RED, "--top=2", "--boxes", "--html=page.html"],
      ...["--image", 'a"b.png', "c.png"],
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "\npage.html\n");
    const page = await Deno.readTextFile(`${folder}/page.html`);
    assertEquals(page.match(/<article/g)?.length, 2);
    // Two maps each; the picture itself is there once.
    assertEquals(page.match(/<img class="map"/g)?.length, 4);
    assertEquals(
      page.match(/--plain:url\(data:image\/png;base64,/g)?.length,
      2,
    );
    assertMatch(
      page,
      /<input id="alpha" type="range" min="0" max="100" value="60">/,
    );
    assertStringIncludes(page, "prefers-color-scheme: dark");
    assertStringIncludes(page, 'name="viewport"');
    // Nothing comes from elsewhere, and names are text.
    assertEquals(/(src|href)=(?!"data:)/.test(page), false);
    assertEquals(page.match(/https?:/g), null);
    assertEquals(page.includes("<b>red"), false);
    assertStringIncludes(page, "&#60;b&#62;red&#60;/b&#62;");
    assertStringIncludes(page, "a&#34;b.png");
    // A layer over the picture is the overlay.
    const [, layer] =
      /<img class="map" alt="" src="data:image\/png;base64,([^"]+)"/
        .exec(page)!;
    const [width, height] = sizeOf(Uint8Array.fromBase64(layer!));
    assertEquals([width, height], [224, 224]);
    for (
      const [flag, sentence] of [
        [
          "--html=no/page.html",
          /^error: Cannot write \S+no\/page.html: its folder does not exist/,
        ],
        [
          "--html=red.safetensors",
          /^error: Cannot write red.safetensors: it is the file that is read/,
        ],
        [
          "--html=c.png",
          /^error: Cannot write c.png: it is one of the photographs/,
        ],
      ] as const
    ) {
      await assertRefused(
        "cam",
        [...RED, flag, "--out=none", "--image=c.png"],
        sentence,
        { folder },
      );
    }
    assertEquals(existsSync(`${folder}/none`), false);
  }));

Deno.test("a class name that several classes have is asked for by number", () =>
  withFolder(async (folder) => {
    await writeRed(folder, ["crane", "Crane"]);
    await Deno.writeFile(`${folder}/c.png`, encodePng(squares(80, 90)));
    const explained = async (name: string) => {
      const { stdout, stderr } = await runCommand("cam", [
        ...[...RED, `--class=${name}`, "--json", "--image=c.png"],
      ], { folder });
      return stderr || JSON.parse(stdout).images[0].class;
    };
    // As it is written there is one; in any case there are two.
    assertEquals(await explained("Crane"), "Crane");
    assertEquals(await explained("1"), "Crane");
    assertEquals(
      await explained("CRANE"),
      'error: Cannot tell which class "CRANE" is: found 0 (crane), 1 (Crane); ' +
        "name it by its number\n",
    );
    await writeRed(folder, ["crane", "crane"]);
    assertEquals(
      await explained("crane"),
      'error: Cannot tell which class "crane" is: found 0 (crane), 1 (crane); ' +
        "name it by its number\n",
    );
  }));
