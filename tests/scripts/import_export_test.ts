import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  type Checkpoint,
  InferenceProgram,
  initialise,
  Network,
  openDataset,
  openDevice,
  readCheckpoint,
  vgg,
} from "../../mod.ts";
import { rawMap } from "../../src/cam/raw_map.ts";
import { readPytorch } from "../../src/weights/read_pytorch.ts";
import { readSafetensors } from "../../src/weights/read_safetensors.ts";
import { writePytorch } from "../../src/weights/write_pytorch.ts";
import { runOnnx } from "../onnx/_onnx_runtime.ts";
import {
  assertRefused,
  runCommand,
  SMALL,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

const FIXTURES = new URL("../fixtures/weights/", import.meta.url).pathname;

/** Logits and features of a checkpoint for images as they are. */
async function outputsOf(
  checkpoint: Checkpoint,
  images: { data: Uint8Array; count: number; side: number },
) {
  const { mean, deviation } = checkpoint.training;
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, checkpoint.model, {
    state: checkpoint.parameters,
  });
  using program = await InferenceProgram.compile(network, {
    batchSize: images.count,
    image: { height: images.side, width: images.side, channels: 3 },
    mean,
    deviation,
  });
  const logits = await program.run(images.data);
  return {
    logits,
    features: program.features(),
    shape: program.featureShape!,
  };
}

function normalised(
  { data, count, side }: { data: Uint8Array; count: number; side: number },
  { mean, deviation }: { mean: number[]; deviation: number[] },
): { shape: number[]; data: Float32Array } {
  const area = side * side;
  const result = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const channel = i % 3;
    const pixel = Math.floor(i / 3);
    const image = Math.floor(pixel / area);
    result[(image * 3 + channel) * area + pixel % area] =
      (data[i]! / 255 - mean[channel]!) / deviation[channel]!;
  }
  return { shape: [count, 3, side, side], data: result };
}

function assertNear(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  assertEquals(found.length, expected.length);
  assert(found.length > 0);
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!);
    assert(difference <= tolerance, `element ${i} differs by ${difference}`);
  }
}

Deno.test("export --format onnx gives ONNX Runtime our logits, features and maps", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const { code, stdout, stderr } = await runCommand("export", [
      "--format=onnx",
      `--checkpoint=${run}`,
      "--out=model.onnx",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "to model.onnx.");
    const checkpoint = await readCheckpoint(`${run}/checkpoint.safetensors`);
    const count = 4;
    const side = 48;
    const dataset = openDataset("shapes", "test", { limit: count, size: side });
    const data = new Uint8Array(count * side * side * 3);
    await dataset.read([0, 1, 2, 3], data);
    const images = { data, count, side };
    const ours = await outputsOf(checkpoint, images);
    const theirs = await runOnnx(
      await Deno.readFile(`${folder}/model.onnx`),
      normalised(images, checkpoint.training),
    );
    assertNear(theirs.logits.data, ours.logits, 1e-4);
    assertEquals(theirs.features.shape, [...ours.shape]);
    assertNear(theirs.features.data, ours.features, 1e-4);
    const weight = checkpoint.parameters.get("classifier.weight")!;
    const shape = ours.shape.slice(1);
    const length = shape.reduce((product, size) => product * size, 1);
    for (let i = 0; i < count; i++) {
      const map = (features: Float32Array) =>
        rawMap(
          { shape, data: features.subarray(i * length, (i + 1) * length) },
          weight,
          3,
        ).data;
      assertNear(map(theirs.features.data), map(ours.features), 1e-4);
    }
  }));

Deno.test("export and import carry a network through PyTorch's format and back", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder, "--batch-norm");
    const checkpoint = await readCheckpoint(`${run}/checkpoint.safetensors`);
    const state = checkpoint.parameters;
    for (
      const [file, names] of [
        ["model.pt", "gapcam"],
        ["notebook.pth", "notebook"],
        ["model.safetensors", "gapcam"],
      ] as const
    ) {
      const exported = await runCommand("export", [
        `--checkpoint=${run}`,
        `--out=${file}`,
        `--names=${names}`,
      ], { folder });
      assertEquals([exported.code, exported.stderr], [0, ""]);
      const imported = await runCommand("import", [
        file,
        "--model=8,M,16",
        `--classes=${checkpoint.classes.join()}`,
        "--image-size=16",
        "--out=back.safetensors",
        ...(names === "gapcam" ? ["--slope=0.2"] : []),
      ], { folder });
      assertEquals([imported.code, imported.stderr], [0, ""]);
      assertStringIncludes(imported.stdout, `with ${names} names into back`);
      const back = await readCheckpoint(`${folder}/back.safetensors`);
      assertEquals(back.parameters.size, state.size);
      for (const [name, tensor] of back.parameters) {
        assertEquals(tensor, state.get(name)!, name);
      }
      assertEquals(back.model, checkpoint.model);
    }
    const { tensors } = await readPytorch(`${folder}/notebook.pth`);
    assert(tensors.has("conv.0.weight") && !tensors.has("features.0.weight"));
  }));

Deno.test("what a network expects of photographs travels through every export, and back", () =>
  withFolder(async (folder) => {
    const model = vgg([4, "M", 8], { classes: 2, negativeSlope: 0 });
    const expected = {
      imageSize: 40,
      interpolation: "bicubic" as const,
      cropShare: 0.875,
      mean: [0.1, 0.2, 0.3],
      deviation: [0.4, 0.5, 0.6],
    };
    await writePytorch(`${folder}/foreign.pt`, initialise(model, 1));
    const first = await runCommand("import", [
      ...["foreign.pt", "--model=4,M,8", "--out=first.safetensors"],
      ...["--classes=cat,dog", "--image-size=40", "--interpolation=bicubic"],
      ...["--crop-share=0.875", "--mean=0.1,0.2,0.3", "--slope=0"],
      "--deviation=0.4,0.5,0.6",
    ], { folder });
    assertEquals([first.code, first.stderr], [0, ""]);
    assertStringIncludes(
      first.stdout,
      "Input: 40 x 40 pixels, the middle 87.5 % of a photograph, bicubic, as " +
        "(x / 255 - [0.1, 0.2, 0.3]) / [0.4, 0.5, 0.6].\n",
    );
    for (const file of ["a.pt", "a.safetensors", "a.onnx"]) {
      const exported = await runCommand("export", [
        ...["--checkpoint=first.safetensors", `--out=${file}`, "--json"],
      ], { folder });
      assertEquals([exported.code, exported.stderr], [0, ""]);
      const { imageSize, interpolation, cropShare, mean, deviation } = JSON
        .parse(exported.stdout);
      assertEquals(
        { imageSize, interpolation, cropShare, mean, deviation },
        expected,
      );
      if (file === "a.onnx") {
        const text = new TextDecoder().decode(
          await Deno.readFile(`${folder}/${file}`),
        );
        for (const part of ["bicubic", "cropShare", "0.875", "imageSize"]) {
          assertStringIncludes(text, part);
        }
        continue;
      }
      // Nothing is named again but what tensors cannot say of layers.
      const back = await runCommand("import", [
        ...[file, "--model=4,M,8", "--out=back.safetensors", "--slope=0"],
      ], { folder });
      assertEquals([back.code, back.stderr], [0, ""]);
      const { training, classes } = await readCheckpoint(
        `${folder}/back.safetensors`,
      );
      assertEquals({ ...training, ...expected }, training);
      assertEquals(classes, ["cat", "dog"]);
    }
  }));

Deno.test("import --head new keeps the trunk, which train --init takes with its conventions", () =>
  withFolder(async (folder) => {
    const weights = initialise(
      vgg([8, "M", 16], { classes: 7, batchNorm: true }),
      3,
    );
    weights.set("classifier.6.weight", weights.get("classifier.weight")!);
    weights.delete("classifier.weight");
    weights.delete("classifier.bias");
    await writePytorch(`${folder}/foreign.pth`, weights);
    const imported = await runCommand("import", [
      "foreign.pth",
      "--model=8,M,16",
      "--head=new",
      "--out=trunk.safetensors",
    ], { folder });
    assertEquals([imported.code, imported.stderr], [0, ""]);
    assertEquals(
      imported.stdout,
      "Left out the head (classifier.6.weight); a fresh one is to be " +
        "trained.\nAssumed: slope 0 of the ReLU (--slope says otherwise).\n" +
        "Assumed: mean 0.485, 0.456, 0.406 (--mean says otherwise).\n" +
        "Assumed: standard deviation 0.229, 0.224, 0.225 (--deviation says " +
        "otherwise).\nImported 12 tensors with torchvision names into " +
        "trunk.safetensors.\nInput: 224 x 224 pixels, the middle of a " +
        "photograph, bilinear, as (x / 255 - [0.485, 0.456, 0.406]) / " +
        "[0.229, 0.224, 0.225].\nTrain its head with: deno task train --init " +
        "trunk.safetensors --dataset shapes --freeze features\n",
    );
    const trained = await runCommand("train", [
      ...SMALL,
      "--model=8,M,16",
      "--epochs=1",
      "--init=trunk.safetensors",
      "--freeze=features",
      "--out=run",
    ], { folder });
    assertEquals([trained.code, trained.stderr], [0, ""]);
    const { parameters, training, model } = await readCheckpoint(
      `${folder}/run/checkpoint.safetensors`,
    );
    assertEquals(training.mean, [0.485, 0.456, 0.406]);
    assertEquals(training.deviation, [0.229, 0.224, 0.225]);
    assertEquals(
      model,
      vgg([8, "M", 16], { classes: 10, batchNorm: true, negativeSlope: 0 }),
    );
    const { tensors } = await readSafetensors(`${folder}/trunk.safetensors`);
    assertEquals(tensors.size, 12);
    assertEquals(
      parameters.get("features.4.weight"),
      weights.get("features.4.weight"),
    );
  }));

Deno.test("import refuses files that call functions, and says what it lacks", () =>
  withFolder(async (folder) => {
    const out = "--out=x.safetensors";
    await assertRefused(
      "import",
      [`${FIXTURES}attack2.pt`, "--model=vgg16", out],
      /it calls posix\.system, and reading weights runs no code/,
      { folder },
    );
    await assertRefused(
      "import",
      [`${FIXTURES}protocol2.pt`, out],
      /Cannot recognise the network of .*with --model, such as vgg16/,
      { folder },
    );
    await assertRefused(
      "import",
      [`${FIXTURES}protocol2.pt`, "--model=vgg16"],
      /without --out/,
      { folder },
    );
    await assertRefused(
      "import",
      [`${FIXTURES}protocol2.pt`, "--model=vgg16", out],
      /no name is that of a numbered layer, such as "features\.0\.weight"/,
      { folder },
    );
    await assertRefused(
      "import",
      ["none.pth", "--model=vgg16", out],
      /no such/,
      {
        folder,
      },
    );
    await assertRefused(
      "export",
      [`--checkpoint=${FIXTURES}all_types.safetensors`, "--out=x.onnx"],
      /Cannot load checkpoint \S+all_types\.safetensors: it holds tensors but no description of a gapcam run; make a checkpoint of it with: deno task import \S+all_types\.safetensors$/m,
      { folder },
    );
    assertEquals([...Deno.readDirSync(folder)], []);
  }));
