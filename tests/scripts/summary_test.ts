import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  assertRefused,
  runCommand,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

Deno.test("deno task summary lists and draws networks by name, runs and ONNX files", async () => {
  await withFolder(async (folder) => {
    const named = await runCommand("summary", [
      "resnet18",
      `--svg=${folder}/a.svg`,
    ]);
    assertEquals(named.code, 0, named.stderr);
    assertStringIncludes(
      named.stdout,
      "\n11,689,512 parameters in 62 tensors, 1,814,073,344 multiply-adds an image",
    );
    assertStringIncludes(named.stdout, "layer1.0.bn2, maxpool\n");
    assert((await Deno.readTextFile(`${folder}/a.svg`)).startsWith("<svg "));

    const run = await trainSmall(folder);
    const own = await runCommand("summary", [run, "--json"]);
    assertEquals(own.code, 0, own.stderr);
    const described = JSON.parse(own.stdout);
    assertEquals(described.inputShape, [3, 16, 16]);
    assertEquals(described.name, `tiny of ${run}/checkpoint.safetensors`);

    const onnx = `${folder}/net.onnx`;
    const exported = await runCommand("export", [
      `--checkpoint=${run}`,
      `--out=${onnx}`,
    ]);
    assertEquals(exported.code, 0, exported.stderr);
    const read = await runCommand("summary", [onnx, "--json"]);
    assertEquals(read.code, 0, read.stderr);
    const again = JSON.parse(read.stdout);
    assertEquals(
      [again.parameters, again.multiplyAdds],
      [described.parameters, described.multiplyAdds],
    );

    // A run's checkpoint is not drawn over.
    await assertRefused(
      "summary",
      ["tiny", `--svg=${run}/checkpoint.safetensors`],
      /this is the name of a run's checkpoint/,
    );
    await assertRefused(
      "summary",
      [run, "--classes=3"],
      /with --classes: its network is given/,
    );
  });
});

Deno.test("deno task summary says what it does not know", async () => {
  await assertRefused(
    "summary",
    ["resnet19"],
    /Cannot find resnet19: there is no file, no run and no network/,
  );
  await assertRefused(
    "summary",
    ["a", "b"],
    /Cannot describe 2 networks at once/,
  );
  await assertRefused(
    "summary",
    ["resnet18", "--batch-norm"],
    /its layers are as published/,
  );
  await assertRefused(
    "summary",
    ["vgg16", "--image-size=8"],
    /an image of 8 x 8 is too small/,
  );
});
