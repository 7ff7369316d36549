import { assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { MODELS } from "../../src/models/find_model.ts";
import { recogniseModel } from "../../src/models/recognise_model.ts";
import { parametersOf } from "../../src/nn/parameters.ts";

function shapesOf(
  name: string,
  options: { classes: number; inputChannels?: number },
): Map<string, readonly number[]> {
  const parameters = parametersOf(MODELS[name]!.build(options));
  return new Map(parameters.map(({ name, shape }) => [name, shape]));
}

Deno.test("recogniseModel() tells every known network from the others", () => {
  for (const name of Object.keys(MODELS)) {
    const shapes = shapesOf(name, { classes: 7, inputChannels: 1 });
    const found = recogniseModel(shapes);
    assertEquals([found.name, found.classes], [name, 7]);
    assertEquals(
      parametersOf(found.model).map(({ name, shape }) => [name, shape]),
      [...shapes],
    );
  }
});

Deno.test("recogniseModel() passes over counters and auxiliary heads", () => {
  const shapes = shapesOf("googlenet", { classes: 10 });
  shapes.set("aux1.conv.conv.weight", [128, 512, 1, 1]);
  shapes.set("conv1.bn.num_batches_tracked", []);
  assertEquals(recogniseModel(shapes).name, "googlenet");
});

Deno.test("recogniseModel() names the nearest network and how it differs", () => {
  const shapes = shapesOf("resnet50", { classes: 10 });
  shapes.delete("layer1.0.bn2.bias");
  shapes.set("layer2.0.bn1.weight", [127]);
  const error = assertThrows(() => recogniseModel(shapes), GapcamError);
  assertEquals(
    error.message,
    "Cannot recognise the network of 266 tensors: the nearest that is known " +
      "is resnet50, but layer1.0.bn2.bias is missing, layer2.0.bn1.weight is " +
      "[127] in place of [128]",
  );
  assertThrows(() => recogniseModel(new Map()), GapcamError);
});
