import { assert, assertEquals, assertMatch } from "@std/assert";
import { METHODS } from "../../mod.ts";
import { runCommand, trainSmall, withFolder } from "./_run_command.ts";

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("cam --method explains otherwise, and says what stands behind it", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const { code, stdout, stderr } = await runCommand("cam", [
      "--checkpoint=run",
      "--index=3",
      "--method=grad-cam",
      "--device=cpu",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      stdout,
      new RegExp(
        "^ANS : [a-z]+ {2}REAL : frame {2}3\n" +
          "grad-cam of features.6: checked, residual \\d.\\de[+-]\\d+\n" +
          "([a-z]+ [<>]?[\\d.]+ %, ){4}[a-z]+ [<>]?[\\d.]+ %\n" +
          "run/cam/3-cam-grad-cam.png\nrun/cam/3-overlay-grad-cam.png\n" +
          "run/cam/3-plain.png\n",
      ),
    );
    const text = new TextDecoder("latin1").decode(
      await Deno.readFile(`${run}/cam/3-cam-grad-cam.png`),
    );
    assertMatch(text, /tEXtMethod\0grad-cam/);
    assertMatch(text, /tEXtStanding\0checked/);
  }));

Deno.test("cam --method takes a layer, several images, a page and numbers", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    const { code, stdout, stderr } = await runCommand("cam", [
      "--checkpoint=run",
      "--indices=0-2",
      "--method=layer-cam",
      "--layer=features",
      "--layer=features.0",
      "--class=ring",
      "--html=page.html",
      "--boxes",
      "--raw",
      "--json",
      "--device=cpu",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    const { images, sheet } = JSON.parse(stdout);
    assertEquals(images.length, 3);
    for (const image of images) {
      assertEquals(image.class, "ring");
      assertEquals(image.residual, undefined);
      assert(image.placeResidual < 1e-5);
      assertEquals(image.method.name, "layer-cam");
      assertEquals(image.method.layers, ["features.6", "features.0"]);
      assertEquals(image.method.standing, "heuristic");
      assert(
        image.files.some((file: string) => /-map-layer-cam.*\.npy$/.test(file)),
      );
    }
    assert(await exists(sheet));
    assert(await exists(`${folder}/page.html`));
  }));

Deno.test("cam --method all draws every method in one picture", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const { code, stdout, stderr } = await runCommand("cam", [
      "--checkpoint=run",
      "--indices=1,2",
      "--method=all",
      "--raw",
      "--json",
      "--device=cpu",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    const { images, sheets } = JSON.parse(stdout);
    assertEquals(sheets, undefined);
    for (const { methods, files, index } of images) {
      assertEquals(
        methods.map(({ name }: { name: string }) => name),
        METHODS.map(({ name }) => name),
      );
      assertEquals(methods[0].standing, "proved");
      assertEquals(files.length, 2 + METHODS.length);
      assert(await exists(`${run}/cam/${index}-methods.png`));
    }
  }));

Deno.test("cam refuses a layer that does not exist, and flags that contradict a method", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    for (
      const [flags, message] of [
        [
          ["--method=grad-cam", "--layer=feature"],
          'error: Cannot explain layer "feature": the network has none of that name; the nearest are features',
        ],
        [
          ["--layer=features"],
          "error: Cannot explain layer features with cam: it looks at the last map alone; leave the layer out, or choose grad-cam",
        ],
        [
          ["--method=occlusion", "--layer=features"],
          "error: Cannot explain layer features with occlusion: it looks at the image's pixels alone; leave the layer out, or choose grad-cam",
        ],
        [
          ["--method=gradcam"],
          "did you mean grad-cam",
        ],
        [
          ["--method=all", "--html=page.html"],
          "error: Cannot take --html and --method all together: give one of them",
        ],
        [
          ["--method=grad-cam", "--top=2"],
          "error: Cannot take --top and --method grad-cam together: give one of them",
        ],
      ] as const
    ) {
      const { code, stdout, stderr } = await runCommand("cam", [
        "--checkpoint=run",
        "--index=0",
        "--device=cpu",
        ...flags,
      ], { folder });
      assertEquals([code, stdout], [1, ""], flags.join(" "));
      assert(stderr.includes(message), stderr);
      assertEquals(stderr.trim().split("\n").length, 1, stderr);
    }
  }));
