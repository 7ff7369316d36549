import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MODELS } from "../../src/models/find_model.ts";
import { initialise } from "../../src/nn/parameters.ts";
import { writePytorch } from "../../src/weights/write_pytorch.ts";
import {
  assertRefused,
  runCommand,
  SMALL,
  withFolder,
} from "./_run_command.ts";

const ONNX = new URL("../fixtures/onnx/", import.meta.url).pathname;

/** A command that must end well, and what it printed. */
async function run(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(name, args);
  assertEquals(code, 0, stderr);
  return stdout;
}

/** A state dict of a network, perhaps behind a prefix. */
async function written(
  path: string,
  { name, prefix = "" }: { name: string; prefix?: string },
): Promise<void> {
  const state = initialise(MODELS[name]!.build({ classes: 3 }), 0);
  await writePytorch(
    path,
    new Map([...state].map(([key, value]) => [prefix + key, value])),
  );
}

Deno.test("import recognises a network behind a prefix, says what it assumes, and cam proves its map", () =>
  withFolder(async (folder) => {
    const weights = `${folder}/weights.pth`;
    const network = `${folder}/network.safetensors`;
    await written(weights, { name: "squeezenet1_1", prefix: "backbone.net." });
    const text = await run(
      "import",
      weights,
      "--out",
      network,
      "--classes=a,b,c",
      "--image-size=64",
    );
    for (
      const part of [
        'Removed the prefix "backbone.net."',
        "Architecture: squeezenet1_1.",
        "Assumed: mean 0.485, 0.456, 0.406",
        "Imported 52 tensors",
      ]
    ) assertStringIncludes(text, part);
    const out = `${folder}/cam`;
    await run(
      "cam",
      `--checkpoint=${network}`,
      `--image=${
        new URL("../fixtures/image/overlay_image.png", import.meta.url).pathname
      }`,
      `--out=${out}`,
      "--device=cpu",
    );
    assert([...Deno.readDirSync(out)].length > 0);
  }));

Deno.test("import refuses weights of a network that is nearly known, and names how it differs", () =>
  withFolder(async (folder) => {
    const weights = `${folder}/weights.pth`;
    const state = initialise(MODELS.squeezenet1_1!.build({ classes: 3 }), 0);
    state.delete("features.3.squeeze.bias");
    await writePytorch(weights, state);
    await assertRefused(
      "import",
      [weights, "--out", `${folder}/network.safetensors`],
      /the nearest that is known is squeezenet1_1, but features\.3\.squeeze\.bias is missing/,
    );
  }));

Deno.test("import makes a checkpoint of an ONNX file, which exports as one again", () =>
  withFolder(async (folder) => {
    const network = `${folder}/network.safetensors`;
    const text = await run(
      "import",
      `${ONNX}squeeze.dynamo.onnx`,
      "--out",
      network,
    );
    assertStringIncludes(text, "Assumed: mean 0.485, 0.456, 0.406");
    const again = `${folder}/again.onnx`;
    await run("export", `--checkpoint=${network}`, `--out=${again}`);
    const other = `${folder}/other.safetensors`;
    // Ours says what it expects.
    const { assumed } = JSON.parse(
      await run("import", again, "--out", other, "--image-size=24", "--json"),
    );
    assertEquals(assumed, []);
  }));

Deno.test("cam refuses a network that does not end in global average pooling", () =>
  withFolder(async (folder) => {
    const weights = `${folder}/weights.pth`;
    const network = `${folder}/network.safetensors`;
    await written(weights, { name: "alexnet" });
    const text = await run("import", weights, "--out", network);
    assertStringIncludes(text, "It has no class activation map");
    await assertRefused(
      "cam",
      [
        `--checkpoint=${network}`,
        `--image=${
          new URL("../fixtures/image/overlay_image.png", import.meta.url)
            .pathname
        }`,
        "--device=cpu",
        `--out=${folder}/cam`,
      ],
      /its last layers are leakyRelu and linear, expected globalAveragePool/,
    );
  }));

Deno.test("train --model trains a network by name, and goes on to the bytes of an uncut run though it drops values", () =>
  withFolder(async (folder) => {
    const flags = [
      ...SMALL.filter((flag) => !/^--(model|image-size)/.test(flag)),
      "--model=squeezenet1_1",
      "--image-size=32",
      "--schedule=constant",
    ];
    const [whole, cut] = [`${folder}/whole`, `${folder}/cut`];
    await run("train", ...flags, "--epochs=2", `--out=${whole}`);
    await run("train", ...flags, "--epochs=1", `--out=${cut}`);
    await run("train", `--resume=${cut}`, "--epochs=2", "--device=cpu");
    const bytes = (run: string) =>
      Deno.readFileSync(`${run}/checkpoint.safetensors`);
    const tensors = (run: string) => {
      const all = bytes(run);
      const header = new DataView(all.buffer).getUint32(0, true);
      return all.subarray(8 + header);
    };
    assertEquals(tensors(cut), tensors(whole));
  }));

Deno.test("train refuses a stem or batch normalisation that a network does not leave open", async () => {
  await assertRefused(
    "train",
    ["--model=densenet121", "--stem=small", "--dataset=shapes"],
    /Cannot train densenet121 with --stem: only ResNets/,
  );
  await assertRefused(
    "train",
    ["--model=resnet18", "--batch-norm", "--dataset=shapes"],
    /Cannot train resnet18 with --batch-norm: its layers are as published/,
  );
});
