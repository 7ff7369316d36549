import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import sharp from "npm:sharp@^0.35.5";
import {
  decodeImage,
  encodePng,
  type Image,
  PHOTOGRAPH_FITS,
} from "../../src/image/mod.ts";
import { redInput, slope } from "../explain/_known_map.ts";
import { writeRed } from "./_red_network.ts";
import { assertRefused, runCommand, withFolder } from "./_run_command.ts";

const FLAGS = ["--checkpoint=red.safetensors", "--device=cpu", "--threads=1"];

async function pictureOf(path: string): Promise<Image> {
  return await decodeImage(await Deno.readFile(path));
}

Deno.test("cam draws the map where it belongs for every --fit, as large as the network's part and in full size", () =>
  withFolder(async (folder) => {
    await writeRed(`${folder}/red.safetensors`);
    const sizes = [["tall", 90, 40], ["wide", 40, 100]] as const;
    for (const [name, height, width] of sizes) {
      const png = encodePng(slope(height, width));
      await Deno.writeFile(`${folder}/${name}.png`, png);
    }
    for (const fit of PHOTOGRAPH_FITS) {
      for (const more of [["--size=56"], ["--full-size"]]) {
        const { code, stdout, stderr } = await runCommand("cam", [
          ...[...FLAGS, `--fit=${fit}`, ...more, "--class=red", "--alpha=1"],
          ...["--colormap=grey", "--json", "--image=tall.png", "wide.png"],
        ], { folder });
        assertEquals([code, stderr], [0, ""]);
        const { images, input } = JSON.parse(stdout);
        assertEquals(input, {
          ...{ imageSize: 28, interpolation: "bicubic", cropShare: 0.875 },
          ...redInput,
          fit,
        });
        for (const [i, [, height, width]] of sizes.entries()) {
          const [, overlayPath, plainPath] = images[i].files;
          const overlay = await pictureOf(overlayPath);
          const plain = await pictureOf(plainPath);
          assertEquals(
            [overlay.height, overlay.width],
            [plain.height, plain.width],
          );
          const square = more[0] === "--size=56" &&
            (fit === "crop" || fit === "stretch");
          const aspect = plain.height * width / (plain.width * height);
          if (square) assertEquals([plain.height, plain.width], [56, 56]);
          else assert(Math.abs(aspect - 1) < 0.03, `${fit}: ${aspect}`);
          let worst = 0;
          let compared = 0;
          for (let y = 4; y < plain.height - 4; y++) {
            for (let x = 4; x < plain.width - 4; x++) {
              const at = 3 * (y * plain.width + x);
              const [red, shown] = [plain.data[at]!, overlay.data[at]!];
              // Beside the part that was looked at, and the line around it.
              if (shown === 255 || shown === Math.round(0.4 * red)) continue;
              worst = Math.max(worst, Math.abs(red - shown));
              compared++;
            }
          }
          assert(worst <= 6, `${fit} ${more}: ${worst} levels`);
          assert(compared > 300, `${compared}`);
          assert(images[i].residual < 1e-5 && images[i].placeResidual < 1e-5);
        }
      }
    }
  }));

Deno.test("cam and predict print what the network sees, and lay transparent pixels on white or --background", () =>
  withFolder(async (folder) => {
    await writeRed(`${folder}/red.safetensors`);
    // Fully transparent, with a hidden green.
    const hidden = new Uint8Array(30 * 30 * 4).map((_, i) =>
      i % 4 === 1 ? 255 : 0
    );
    const png = await sharp(hidden, {
      raw: { width: 30, height: 30, channels: 4 },
    }).png().toBuffer();
    await Deno.writeFile(`${folder}/clear.png`, png);
    for (
      const [flags, colour, suffix] of [
        [[], [255, 255, 255], ""],
        [["--background=#ff8000"], [255, 128, 0], "-onff8000"],
        [["--background=black"], [0, 0, 0], "-on000000"],
      ] as const
    ) {
      const { code, stdout } = await runCommand("cam", [
        ...[...FLAGS, ...flags, "--out=drawn", "--image=clear.png"],
      ], { folder });
      assertEquals(code, 0);
      assertStringIncludes(
        stdout,
        "\nInput: 28 x 28 pixels, the middle 87.5 % of a photograph, bicubic, " +
          "as (x / 255 - 0) / 1\n",
      );
      const plain = await pictureOf(`${folder}/drawn/clear-plain${suffix}.png`);
      assertEquals(Array.from(toRgbPixel(plain)), [...colour]);
      // The logit of red is how red the background is.
      for (const fit of ["crop", "whole"]) {
        const answer = await runCommand("predict", [
          ...[...FLAGS, ...flags, `--fit=${fit}`, "--json", "clear.png"],
        ], { folder });
        const [{ top }] = JSON.parse(answer.stdout).images;
        const red = top.find((one: { class: string }) => one.class === "red");
        const expected = 1 / (1 + Math.exp(-2 * colour[0] / 255));
        assert(Math.abs(red.probability - expected) < 1e-5);
      }
    }
    await assertRefused(
      "cam",
      [...FLAGS, "--background=octarine", "--image=clear.png"],
      /^error: Cannot read the colour "octarine": expected one of white, black/,
      { folder },
    );
    for (const flag of ["--fit=pad", "--background=black"]) {
      for (const name of ["cam", "predict"]) {
        await assertRefused(
          name,
          [...FLAGS, flag],
          /^error: Cannot show images of the data set as --(fit|background) says/,
          { folder },
        );
      }
    }
  }));

Deno.test("predict says of a photograph what cam does, for every --fit", () =>
  withFolder(async (folder) => {
    await writeRed(`${folder}/red.safetensors`);
    const files = [];
    for (const [i, [height, width]] of [[90, 40], [31, 50], [3, 4]].entries()) {
      files.push(`${i}.png`);
      const png = encodePng(slope(height!, width!));
      await Deno.writeFile(`${folder}/${i}.png`, png);
    }
    await Deno.writeFile(`${folder}/line.png`, encodePng(slope(1, 250)));
    for (const fit of PHOTOGRAPH_FITS) {
      const flags = [...FLAGS, `--fit=${fit}`, "--json"];
      const [cam, predicted] = await Promise.all([
        runCommand("cam", [...flags, "--image", ...files], { folder }),
        runCommand("predict", [...flags, ...files, "line.png"], { folder }),
      ]);
      const { images, failures } = JSON.parse(predicted.stdout);
      assertEquals(predicted.code, fit === "whole" ? 1 : 0);
      assertEquals(failures?.length, fit === "whole" ? 1 : undefined);
      if (failures) {
        assertStringIncludes(
          failures[0].reason,
          "line.png in its proportions: found 1 x 250 pixels, expected",
        );
      }
      const said = JSON.parse(cam.stdout).images;
      for (const i of files.keys()) {
        const [mine, theirs] = [images[i].top[0], said[i].top[0]];
        assertEquals(mine.class, theirs.class);
        assert(Math.abs(mine.probability - theirs.probability) < 1e-6);
      }
    }
  }));

function toRgbPixel(image: Image): Uint8Array {
  return image.channels === 1
    ? Uint8Array.of(image.data[0]!, image.data[0]!, image.data[0]!)
    : image.data.subarray(0, 3);
}
