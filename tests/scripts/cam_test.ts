import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { encodePng, type Image } from "../../mod.ts";
import { decodeImage } from "../../src/image/decode_image.ts";
import { runCommand, trainSmall, withFolder } from "./_run_command.ts";

Deno.test("cam prints what the network says, proves the map and writes pictures", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const { code, stdout, stderr } = await runCommand("cam", [
      "--checkpoint=run",
      "--index=3",
      "--device=cpu",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      stdout,
      new RegExp(
        "^ANS : [a-z]+ {2}REAL : frame {2}3\n" +
          "([a-z]+ [<>]?[\\d.]+ %, ){4}[a-z]+ [<>]?[\\d.]+ %\n" +
          "run/cam/3-cam.png\nrun/cam/3-overlay.png\nrun/cam/3-plain.png\n" +
          "Checkpoint: run/checkpoint.safetensors \\(tiny, after 4 steps\\)\n" +
          "Input: 16 x 16 pixels, the whole image, bilinear, as " +
          "\\(x / 255 - 0.5\\) / 0.5\n$",
      ),
    );
    for (const name of ["overlay", "plain"]) {
      const picture = await Deno.readFile(`${run}/cam/3-${name}.png`);
      assertEquals(sizeOf(picture), [224, 224]);
    }
    const bytes = await Deno.readFile(`${run}/cam/3-cam.png`);
    // Two pictures side by side, a colour bar and a list.
    const [width, height] = sizeOf(bytes);
    assert(width! > 3 * 224 && height! > 224 && height! < 2 * 224);
    const text = new TextDecoder("latin1").decode(bytes);
    assertMatch(text, /tEXtClass\0[a-z]+/);
    assertMatch(text, /tEXtLogit\0-?\d/);
    assertMatch(text, /tEXtRange\0-?\d\S* to -?\d/);
    assertMatch(text, /tEXtProbability\0[01]\.?\d*/);
    assertMatch(text, /tEXtLabel\0frame/);
    assertMatch(text, /tEXtScale\0[0] to \d/);
    const digest = await crypto.subtle.digest(
      "SHA-256",
      await Deno.readFile(`${run}/checkpoint.safetensors`),
    );
    assertStringIncludes(
      text,
      `tEXtCheckpoint\0sha256 ${new Uint8Array(digest).toHex()}`,
    );
  }));

Deno.test("cam --json proves every map, of the class that was asked for", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    const { code, stdout, stderr } = await runCommand("cam", [
      "--checkpoint=run",
      "--indices=0-2,17",
      "--class=ring",
      "--size=64",
      "--colormap=viridis",
      "--alpha=0.7",
      "--out=pictures",
      "--device=cpu",
      "--json",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    const { images, sheet } = JSON.parse(stdout);
    assertEquals(
      images.map(({ index }: { index: number }) => index),
      [0, 1, 2, 17],
    );
    for (const image of images) {
      assertEquals(image.class, "ring");
      assertLess(image.residual, 1e-4);
      assertLess(image.placeResidual, 1e-5);
      assertLess(
        Math.abs(image.logit - image.reconstructed),
        1e-4 * Math.max(1, Math.abs(image.logit)),
      );
      assert(image.minimum <= image.maximum);
      assertEquals(
        image.files.map((file: string) => file.split("/").at(-1)),
        [
          `${image.index}-cam-ring-viridis-alpha0.7-size64.png`,
          `${image.index}-overlay-ring-viridis-alpha0.7-size64.png`,
          `${image.index}-plain-size64.png`,
        ],
      );
      assertEquals(sizeOf(await Deno.readFile(image.files[1])), [64, 64]);
      assertEquals(image.top.length, 5);
      for (let i = 1; i < 5; i++) {
        assert(image.top[i].probability <= image.top[i - 1].probability);
      }
      assertEquals(image.top[0].class, image.predicted);
      const ring = image.top.find((one: { class: string }) =>
        one.class === "ring"
      );
      if (ring) assertEquals(ring.probability, image.probability);
      assert(image.probability > 0 && image.probability < 1);
    }
    assertEquals(
      sheet,
      `${folder}/pictures/sheet-ring-viridis-alpha0.7-size64.png`,
    );
    // Four pairs of tiles of 64 pixels in two columns, two rows.
    const [width, height] = sizeOf(await Deno.readFile(sheet));
    assert(width! > 4 * 64 && width! < 5 * 64, `${width}`);
    assert(height! > 2 * 64 && height! < 5 * 64, `${height}`);
  }));

Deno.test("cam draws the same bytes twice", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    for (const out of ["a", "b"]) {
      const flags = ["--checkpoint=run", `--out=${out}`, "--device=cpu"];
      assertEquals((await runCommand("cam", flags, { folder })).code, 0);
    }
    assertEquals(
      await Deno.readFile(`${folder}/a/3-cam.png`),
      await Deno.readFile(`${folder}/b/3-cam.png`),
    );
  }));

Deno.test("cam --image explains photographs, patterns too, in their own size", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    await Deno.mkdir(`${folder}/photos`);
    for (const [name, seed] of [["a", 1], ["b", 2]] as const) {
      const data = Uint8Array.from(
        { length: 30 * 51 * 3 },
        (_, i) => (i * seed * 7) % 251,
      );
      await Deno.writeFile(
        `${folder}/photos/${name}.png`,
        encodePng({ width: 51, height: 30, channels: 3, data }),
      );
    }
    const flags = ["--checkpoint=run", "--device=cpu", "--json"];
    const cut = await runCommand("cam", [
      ...flags,
      "--full-size",
      "--out=cut",
      "--image=photos/*.png",
      "photos/a.png",
    ], { folder });
    assertEquals([cut.code, cut.stderr], [0, ""]);
    const { images } = JSON.parse(cut.stdout);
    assertEquals(images.map(({ index }: { index: string }) => index), [
      `${folder}/photos/a.png`,
      `${folder}/photos/b.png`,
    ]);
    const [overlay, plain] = await Promise.all(
      ["a-overlay", "a-plain"].map(async (name) =>
        await decodeImage(
          await Deno.readFile(`${folder}/cut/${name}-full-size.png`),
        )
      ),
    );
    assertEquals([overlay!.width, overlay!.height], [51, 30]);
    // The network saw 16 of 27 columns, from the seventh on, or 11.3 to 41.6 of 51: the
    // rest is dimmed to two fifths, and a white line is around what it saw.
    const level = (image: Image, x: number) => image.data[(15 * 51 + x) * 3]!;
    const dimmed = Array.from(
      { length: 51 },
      (_, x) =>
        level(overlay!, x) === Math.round(0.4 * level(plain!, x)) &&
        level(overlay!, x) !== 255,
    );
    assertEquals(dimmed.slice(0, 11), Array(11).fill(true));
    assertEquals(dimmed.slice(42), Array(9).fill(true));
    assertEquals([level(overlay!, 11), level(overlay!, 41)], [255, 255]);
    const stretched = await runCommand("cam", [
      ...flags,
      "--fit=stretch",
      "--size=40",
      "--out=stretched",
      "--image=photos/b.png",
    ], { folder });
    assertEquals([stretched.code, stretched.stderr], [0, ""]);
    const bytes = await Deno.readFile(
      `${folder}/stretched/b-overlay-stretch-size40.png`,
    );
    assertEquals(sizeOf(bytes), [40, 40]);
  }));

Deno.test("eval prints what train printed of the same checkpoint", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    const flags = ["--checkpoint=run", "--limit=20", "--device=cpu"];
    const { code, stdout } = await runCommand("eval", flags, { folder });
    assertEquals(code, 0);
    assertStringIncludes(
      stdout,
      "run/checkpoint.safetensors (tiny, after 4 steps)",
    );
    const json = await runCommand("eval", [...flags, "--json"], { folder });
    const evaluation = JSON.parse(json.stdout);
    const log = await Deno.readTextFile(`${folder}/run/log.jsonl`);
    const logged = JSON.parse(log.trim().split("\n").at(-1)!);
    assertEquals(evaluation.confusion, logged.confusion);
    assertStringIncludes(
      stdout,
      `${(100 * logged.accuracy).toFixed(2)} %  of all 20 images`,
    );
  }));

Deno.test("samples writes a grid of a batch, the same for one seed", () =>
  withFolder(async (folder) => {
    for (const out of ["a.png", "b.png", "c.png"]) {
      const { code, stdout, stderr } = await runCommand("samples", [
        "--dataset=shapes",
        "--limit=6",
        "--size=32",
        `--seed=${out === "c.png" ? 2 : 1}`,
        `--out=${out}`,
      ], { folder });
      assertEquals([code, stderr], [0, ""]);
      assertEquals(stdout, `6 images of shapes: ${out}\n`);
    }
    const [a, b, c] = await Promise.all(
      ["a", "b", "c"].map((name) => Deno.readFile(`${folder}/${name}.png`)),
    );
    assertEquals(a, b);
    assert(a!.length !== c!.length || !a!.every((byte, i) => byte === c![i]));
    const chosen = async (...flags: string[]) =>
      await runCommand("samples", [
        ...["--dataset=shapes", "--size=32", "--out=d.png", ...flags],
      ], { folder });
    for (
      const [flags, said] of [
        [["--class=ring", "--limit=3"], "3 images"],
        [["--class=1"], "64 images"],
        [["--indices=1,11,21"], "3 images"],
      ] as const
    ) {
      const { stdout, stderr } = await chosen(...flags);
      assertEquals([stdout, stderr], [`${said} of shapes: d.png\n`, ""]);
    }
    const refused = [
      [["--class=wheel"], 'class "wheel": expected one of disc'],
      [["--class=ring", "--indices=1"], "Cannot take --indices and --class"],
      [["--class=ring", "--limit=900"], "there are only 400"],
      [["--data-dir=x"], "/x: they are generated, no folder holds them"],
    ] as const;
    for (const [flags, message] of refused) {
      const { code, stderr } = await chosen(...flags);
      assertEquals(code, 1);
      assertStringIncludes(stderr, message);
    }
    // Three columns of 32 pixels and four of padding between and around.
    assertEquals(sizeOf(a!)[0], 3 * 36 + 4);
  }));

Deno.test("doctor says what is there and what to do about the rest", async () => {
  const { code, stdout } = await runCommand("doctor", []);
  assertEquals(code, 0);
  assertMatch(stdout, /found +Deno +\d+\.\d+\.\d+ on /);
  assertMatch(
    stdout,
    /found +CPU library +\S+libgapcam_cpu.so, ABI version \d/,
  );
  assertMatch(
    stdout,
    /found +CPU +.*oneDNN \d\S+, \w+, \d+ threads on \d+ processors/,
  );
  assertMatch(stdout, /found +Memory +\d+\.\d GiB free of \d+\.\d GiB/);
  assertMatch(stdout, /(found|missing) +stl10 +\S/);
  assertMatch(
    stdout,
    /found +Pretrained +\S*models\/|missing +Pretrained +get a network with: deno/,
  );
  assertMatch(stdout, /(found|missing) +GPU +\S/);
  assertStringIncludes(stdout, "Ready: deno task train");
});

Deno.test("doctor --json tells programs the same, and 1 says that nothing computes", () =>
  withFolder(async (folder) => {
    const { code, stdout } = await runCommand("doctor", ["--json"], {
      env: { GAPCAM_LIBRARY_FOLDER: folder },
    });
    assertEquals(code, 1);
    const { computes, findings } = JSON.parse(stdout);
    assertEquals(computes, false);
    const library = findings.find(({ name }: { name: string }) =>
      name === "CPU library"
    );
    assertEquals(library.found, false);
    assertStringIncludes(library.detail, "sh scripts/setup.sh");
  }));

/** Width and height of a PNG. */
function sizeOf(png: Uint8Array): number[] {
  const view = new DataView(png.buffer, png.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}
