import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { initialise, openDevice, vgg } from "../../mod.ts";
import { exists } from "../../src/_files.ts";
import { logitsOf } from "../../src/nn/logits_of.ts";
import { writePytorch } from "../../src/weights/write_pytorch.ts";
import { images } from "../nn/_hashed.ts";
import { assertRefused, runCommand, withFolder } from "./_run_command.ts";

const ONNX = new URL("../fixtures/onnx/", import.meta.url);
/** What ONNX Runtime makes of two images, for each file. */
const EXPECTED: Record<string, number[][]> = JSON.parse(
  Deno.readTextFileSync(new URL("logits.json", ONNX)),
);

function npy(shape: readonly number[], values: Iterable<number>): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${
    shape.join(", ")
  },), }\n`.replace(",,", ",");
  const data = new Uint8Array(Float32Array.from(values).buffer);
  const bytes = new Uint8Array(10 + text.length + data.length);
  bytes.set([
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    1,
    0,
    text.length & 255,
    text.length >> 8,
  ]);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes.set(data, 10 + text.length);
  return bytes;
}

/** The images of the fixtures, as their exporters' tools took them. */
function input(side: number): Uint8Array {
  const pixels = images(2 * side * side * 3, 77);
  const values = Array.from({ length: pixels.length }, (_, i) => {
    const place = i % (side * side);
    const channel = Math.floor(i / (side * side)) % 3;
    const image = Math.floor(i / (3 * side * side));
    return (pixels[(image * side * side + place) * 3 + channel]! / 255 - 0.5) /
      0.5;
  });
  return npy([2, 3, side, side], values);
}

Deno.test("import --check compares an ONNX file's logits, and refuses others by how much", () =>
  withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/in.npy`, input(24));
    for (
      const [name, of] of [
        ["residual.torchscript.onnx", "logits"],
        ["shuffle.dynamo.onnx", "logits"],
        ["squeeze.dynamo.onnx", "logarithms of probabilities"],
      ] as const
    ) {
      const expected = EXPECTED[name]!;
      const out = `${folder}/${name}.safetensors`;
      const path = new URL(name, ONNX).pathname;
      await Deno.writeFile(`${folder}/out.npy`, npy([2, 5], expected.flat()));
      const args = [path, `--out=${out}`, "--check", "in.npy", "out.npy"];
      const right = await runCommand("import", args, { folder });
      assertEquals([right.code, right.stderr], [0, ""], right.stdout);
      assertMatch(
        right.stdout,
        new RegExp(
          `Checked: its ${of} for 2 images are those given, to \\d\\.\\de-\\d`,
        ),
      );
      await Deno.remove(out);

      const wrong = expected.flat();
      wrong[7]! += 0.1;
      await Deno.writeFile(`${folder}/out.npy`, npy([2, 5], wrong));
      await assertRefused(
        "import",
        args,
        /\(image 1, class 2\), a difference of [\d.]+ % of the largest, expected at most 0\.1 %/,
        { folder },
      );
      assert(!exists(out));
    }
  }));

Deno.test("import --check takes state dicts too, and refuses files that do not fit", () =>
  withFolder(async (folder) => {
    const model = vgg([4, "M", 8], { classes: 3, negativeSlope: 0 });
    const state = initialise(model, 1);
    await writePytorch(`${folder}/net.pt`, state);
    await Deno.writeFile(`${folder}/in.npy`, input(8));
    using device = openDevice("cpu", { threads: 1 });
    const pixels = new Float32Array(input(8).slice(-4 * 2 * 3 * 64).buffer);
    const { data } = await logitsOf(device, model, {
      state,
      input: { shape: [2, 3, 8, 8], data: pixels },
    });
    await Deno.writeFile(`${folder}/out.npy`, npy([2, 3], data));
    const args = [
      "net.pt",
      "--model=4,M,8",
      "--out=net.safetensors",
      "--slope=0",
    ];
    const { code, stdout, stderr } = await runCommand("import", [
      ...args,
      "--check=in.npy",
      "out.npy",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "Checked: its logits for 2 images");
    // Another slope is another network.
    await assertRefused(
      "import",
      [
        ...args.slice(0, 3),
        ...["--slope=0.5", "--check", "in.npy", "out.npy"],
      ],
      /it computes .* where out\.npy has/,
      { folder },
    );
    await Deno.writeFile(`${folder}/short.npy`, npy([2, 2], [1, 2, 3, 4]));
    await Deno.writeFile(`${folder}/flat.npy`, npy([6], [1, 2, 3, 4, 5, 6]));
    for (
      const [given, expected, text] of [
        ["in.npy", "short.npy", /short\.npy is \[2, 2\], expected \[2, 3\]/],
        [
          "flat.npy",
          "out.npy",
          /the input is \[6\], expected \[N, channels, height, width\]/,
        ],
        ["net.pt", "out.npy", /expected an array of numpy\.save/],
        ["in.npy", "none.npy", /none\.npy: no such file/],
      ] as const
    ) {
      await assertRefused(
        "import",
        [...args, `--check=${given}`, expected],
        text,
        { folder },
      );
    }
    await assertRefused(
      "import",
      [...args, "--check=in.npy"],
      /name the file of what is expected as well/,
      { folder },
    );
  }));
