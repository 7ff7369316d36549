import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { initialise, readCheckpoint, vgg } from "../../mod.ts";
import { describedWeights } from "../../src/train/imported_weights.ts";
import { readSafetensors } from "../../src/weights/read_safetensors.ts";
import { writePytorch } from "../../src/weights/write_pytorch.ts";
import {
  assertRefused,
  runCommand,
  SMALL,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

const FOREIGN = new URL("../fixtures/weights/foreign/", import.meta.url)
  .pathname;

/** Flags of a training run without a model. */
const WITHOUT_MODEL = SMALL.filter((flag) => !flag.startsWith("--model"));

Deno.test("train --init takes a PyTorch file as it is: its model, and what it assumes", () =>
  withFolder(async (folder) => {
    const { code, stdout, stderr } = await runCommand("train", [
      ...WITHOUT_MODEL,
      "--epochs=0",
      `--init=${FOREIGN}plain.pt`,
      "--out=run",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /Assumed: slope 0\.2 of the leaky ReLU\.\n/);
    assertMatch(stdout, /Assumed: mean 0\.5, 0\.5, 0\.5/);
    assertMatch(
      stdout,
      /Weights: 4 tensors from \S+plain\.pt; fresh: classifier\.weight, classifier\.bias\n/,
    );
    assertMatch(stdout, /Model: 8,M,16, /);
  }));

Deno.test("train --init takes a run by its folder, with its model and conventions", () =>
  withFolder(async (folder) => {
    const weights = initialise(vgg([8, "M", 16], { classes: 10 }), 3);
    await writePytorch(`${folder}/net.pth`, weights);
    const imported = await runCommand("import", [
      "net.pth",
      "--model=8,M,16",
      "--slope=0.05",
      "--mean=0.4,0.5,0.6",
      "--deviation=0.2,0.3,0.4",
      "--interpolation=bicubic",
      "--crop-share=0.875",
      "--out=net.safetensors",
    ], { folder });
    assertEquals([imported.code, imported.stderr], [0, ""]);
    await Deno.mkdir(`${folder}/old`);
    await Deno.rename(
      `${folder}/net.safetensors`,
      `${folder}/old/checkpoint.safetensors`,
    );
    const { code, stdout, stderr } = await runCommand("train", [
      ...WITHOUT_MODEL,
      "--epochs=0",
      "--init=old",
      "--freeze=features",
      "--out=new",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(
      stdout,
      "Weights: 6 tensors from old/checkpoint.safetensors\n",
    );
    assert(!stdout.includes("Assumed"), stdout);
    const { model, modelName, training, parameters } = await readCheckpoint(
      `${folder}/new/checkpoint.safetensors`,
    );
    assertEquals(modelName, "8,M,16");
    assertEquals(
      model,
      vgg([8, "M", 16], { classes: 10, negativeSlope: 0.05 }),
    );
    assertEquals(training.mean, [0.4, 0.5, 0.6]);
    assertEquals(training.deviation, [0.2, 0.3, 0.4]);
    assertEquals(
      [training.interpolation, training.cropShare],
      ["bicubic", 0.875],
    );
    assertEquals(
      parameters.get("classifier.weight"),
      weights.get("classifier.weight"),
    );
  }));

Deno.test("train refuses to freeze what the weights do not have", () =>
  withFolder(async (folder) => {
    await assertRefused(
      "train",
      [
        ...WITHOUT_MODEL,
        "--model=8,M,12",
        `--init=${FOREIGN}plain.pt`,
        "--freeze=features",
        "--out=run",
      ],
      /Cannot freeze what starts at random: features\.3\.weight, features\.3\.bias; freeze what is taken/,
      { folder },
    );
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("train refuses weights for colours on grey images, and says what has colours", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/data`);
    const file = (kind: number, sizes: number[], length: number) => {
      const bytes = new Uint8Array(4 + 4 * sizes.length + length);
      bytes.set([0, 0, 8, kind]);
      const view = new DataView(bytes.buffer);
      sizes.forEach((size, i) => view.setUint32(4 + 4 * i, size));
      return bytes;
    };
    for (const [split, count] of [["train", 60000], ["t10k", 10000]] as const) {
      await Deno.writeFile(
        `${folder}/data/${split}-images-idx3-ubyte`,
        file(3, [count, 28, 28], count * 784),
      );
      await Deno.writeFile(
        `${folder}/data/${split}-labels-idx1-ubyte`,
        file(1, [count], count),
      );
    }
    await assertRefused(
      "train",
      [
        "--dataset=mnist",
        "--data-dir=data",
        "--device=cpu",
        `--init=${FOREIGN}plain.pt`,
        "--out=run",
      ],
      /Cannot start from \S+plain\.pt: it takes images of 3 channels and those of mnist.* have 1; name other data with --dataset, such as cifar10 or shapes/,
      { folder },
    );
  }));

Deno.test("a checkpoint that is none is called by its kind, and import named where it helps", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/page.pth`, "<!DOCTYPE html><html>");
    await Deno.writeFile(
      `${folder}/net.onnx`,
      new Uint8Array([8, 7, 18, 7, 112, 121]),
    );
    await Deno.writeTextFile(`${folder}/notes.md`, "# Notes\n");
    for (const command of ["eval", "cam", "export"]) {
      const more = command === "export" ? ["--out=x.pt"] : [];
      const refused = (name: string, sentence: RegExp) =>
        assertRefused(command, [`--checkpoint=${name}`, ...more], sentence, {
          folder,
        });
      await refused(
        "page.pth",
        /Cannot load checkpoint \S+: it is a web page, expected one that gapcam wrote$/m,
      );
      await refused("net.onnx", /it is an ONNX file, expected/);
      await refused("notes.md", /it is a text, expected/);
      await refused(
        `${FOREIGN}plain.pt`,
        /it is a file of PyTorch's, .*; make a checkpoint of it with: deno task import \S+plain\.pt$/m,
      );
    }
    for (const name of ["page.pth", "net.onnx", "notes.md"]) {
      await assertRefused(
        "train",
        [...SMALL, `--init=${name}`, "--out=run"],
        /it is (a web page|an ONNX file|a text), expected safetensors or a file of torch.save/,
        { folder },
      );
    }
  }));

Deno.test("import says every assumption with its flag, and none that flags made", () =>
  withFolder(async (folder) => {
    const run = async (...flags: string[]) => {
      const { code, stdout, stderr } = await runCommand("import", [
        `${FOREIGN}k.pth`,
        "--model=8,M,16",
        "--out=k.safetensors",
        ...flags,
      ], { folder });
      assertEquals([code, stderr], [0, ""]);
      return stdout;
    };
    assertEquals(
      (await run()).split("\n").filter((line) => line.startsWith("Assumed")),
      [
        "Assumed: slope 0.2 of the leaky ReLU (--slope says otherwise).",
        "Assumed: mean 0.5, 0.5, 0.5 (--mean says otherwise).",
        "Assumed: standard deviation 0.5, 0.5, 0.5 (--deviation says " +
        "otherwise).",
        "Assumed: image size 224 (--image-size says otherwise).",
        "Assumed: class names class 0, class 1, class 2, class 3 (--classes " +
        "or --dataset says otherwise).",
      ],
    );
    const told = [
      "--slope=0",
      "--mean=0.4914,0.4822,0.4465",
      "--deviation=0.2023,0.1994,0.2010",
      "--image-size=64",
      "--classes=a,b,c,d",
    ];
    assert(!(await run(...told)).includes("Assumed"));
    const json = JSON.parse(await run("--json"));
    assertEquals(json.assumed, [
      "negativeSlope",
      "mean",
      "deviation",
      "imageSize",
      "classes",
    ]);
    assertEquals([json.negativeSlope, json.tensors], [0.2, 6]);
    assertEquals(JSON.parse(await run("--json", ...told)).assumed, []);
    // PyTorch's logits of that network and picture.
    const shown = await runCommand("cam", [
      "--checkpoint=k.safetensors",
      `--image=${FOREIGN}square.png`,
      "--out=maps",
      "--json",
      "--device=cpu",
    ], { folder });
    assertEquals([shown.code, shown.stderr], [0, ""]);
    const logit = JSON.stringify(JSON.parse(shown.stdout))
      .match(/"logit":([\d.]+)/)!;
    assert(Math.abs(Number(logit[1]) - 0.25213) < 1e-4, logit[1]);
  }));

Deno.test("an exported safetensors file says what it is: nothing is assumed of it", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const exported = await runCommand("export", [
      `--checkpoint=${run}`,
      "--out=net.safetensors",
      "--json",
    ], { folder });
    assertEquals([exported.code, exported.stderr], [0, ""]);
    assertEquals(JSON.parse(exported.stdout).format, "safetensors");
    const imported = await runCommand("import", [
      "net.safetensors",
      "--out=back.safetensors",
    ], { folder });
    assertEquals([imported.code, imported.stderr], [0, ""]);
    assert(!imported.stdout.includes("Assumed"), imported.stdout);
    const before = await readCheckpoint(`${run}/checkpoint.safetensors`);
    const after = await readCheckpoint(`${folder}/back.safetensors`);
    assertEquals(after.model, before.model);
    assertEquals(after.classes, before.classes);
    assertEquals(after.training.imageSize, before.training.imageSize);
    assertEquals(after.parameters, before.parameters);
  }));

Deno.test("import recognises VGG16, refuses another ending and names --head new", () =>
  withFolder(async (folder) => {
    const shapes: Record<string, number[]> = JSON.parse(
      await Deno.readTextFile(
        `${FOREIGN}../torchvision_vgg.json`,
      ),
    ).vgg11_bn;
    await writePytorch(
      `${folder}/vgg.pth`,
      new Map(
        Object.entries(shapes).filter(([name]) =>
          name !== "classifier.0.weight"
        )
          .map(([name, shape]) => [name, {
            shape,
            data: new Float32Array(shape.reduce((n, size) => n * size, 1)),
          }]),
      ),
    );
    await assertRefused(
      "import",
      ["vgg.pth", "--out=trunk.safetensors"],
      /need one linear layer behind global average pooling; keep only the trunk and start a fresh head with --head new$/m,
      { folder },
    );
    await assertRefused(
      "import",
      ["vgg.pth", "--head=new", "--out=trunk.pth"],
      /Cannot write the import to trunk\.pth: .* ends in \.safetensors/,
      { folder },
    );
    const { code, stdout, stderr } = await runCommand("import", [
      "vgg.pth",
      "--head=new",
      "--out=trunk.safetensors",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "Architecture: vgg11_bn.\n");
    const { metadata } = await readSafetensors(`${folder}/trunk.safetensors`);
    assertEquals(describedWeights(metadata)!.modelName, "vgg11_bn");
    await assertRefused(
      "import",
      [`${FOREIGN}plain.pt`, "--out=x.safetensors"],
      /without --model, such as vgg16; their shapes say 8,M,16, or the same with M at its end/,
      { folder },
    );
  }));
