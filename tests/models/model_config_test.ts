import { assert, assertEquals, assertThrows } from "@std/assert";
import { GapcamError, parametersOf, shapesOf, vgg } from "../../mod.ts";
import { MODEL_NAMES, parseModel } from "../../src/models/model_config.ts";
import { PRESETS } from "../../src/train/presets.ts";

Deno.test("parseModel() knows names and lists", () => {
  assertEquals(parseModel("vgg11").filter((step) => step === "M").length, 5);
  assertEquals(parseModel("8, M,16"), [8, "M", 16]);
  for (const name of MODEL_NAMES) {
    assert(parseModel(name).length > 1);
  }
});

for (
  const name of ["vgg17", "", "M", "8,N,16", "0,M", "-8", "8.5", "toString"]
) {
  Deno.test(`parseModel() refuses ${JSON.stringify(name)}`, () => {
    assertThrows(
      () => parseModel(name),
      GapcamError,
      `Cannot build model ${JSON.stringify(name)}: expected one of vgg11, `,
    );
  });
}

Deno.test("the seed preset is the notebook's network: 28 tensors, 14,719,818 parameters", () => {
  const { model, negativeSlope, batchNorm, training } = PRESETS.seed;
  const parameters = parametersOf(vgg(parseModel(model), {
    classes: 10,
    inputChannels: 3,
    negativeSlope,
    batchNorm,
  }));
  assertEquals(parameters.length, 28);
  assertEquals(
    parameters.reduce(
      (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    ),
    14_719_818,
  );
  assertEquals(
    [training.imageSize, training.batchSize, training.epochs],
    [224, 64, 100],
  );
  assertEquals(
    [training.optimiser, training.learningRate, training.logEvery],
    ["adam", 1e-5, 50],
  );
});

Deno.test("the quick preset's last map is at least 7 x 7", () => {
  const { model, negativeSlope, batchNorm, training } = PRESETS.quick;
  const size = training.imageSize!;
  const shapes = shapesOf(
    vgg(parseModel(model), {
      classes: 10,
      inputChannels: 1,
      negativeSlope,
      batchNorm,
    }),
    [1, size, size],
  );
  const pool = shapes.findIndex(({ layer }) =>
    layer.kind === "globalAveragePool"
  );
  const [, height, width] = shapes[pool - 1]!.outputShape;
  assertEquals([height! >= 7, width! >= 7], [true, true]);
});
