import { assertEquals, assertThrows } from "@std/assert";
import { graphOf } from "../../mod.ts";
import { parametersOf } from "../../src/nn/parameters.ts";
import { vgg, type VggName, type VggStep } from "../../src/models/vgg.ts";
import { GapcamError } from "../../src/error.ts";

function count(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

Deno.test("vgg() has torchvision's trunks: sizes of all four", () => {
  // Parameters of torchvision's vgg11().features and so on, plus the head.
  const trunks: [VggName, number][] = [
    ["vgg11", 9_220_480],
    ["vgg13", 9_404_992],
    ["vgg16", 14_714_688],
    ["vgg19", 20_024_384],
  ];
  for (const [name, size] of trunks) {
    const parameters = parametersOf(vgg(name, { classes: 10 }));
    assertEquals(
      parameters.reduce((sum, { shape }) => sum + count(shape), 0),
      size + 512 * 10 + 10,
      name,
    );
  }
});

Deno.test("the seed network has 28 tensors, named and shaped as torchvision's", () => {
  const parameters = parametersOf(vgg("vgg16", { classes: 10 }));
  assertEquals(parameters.length, 28);
  assertEquals(
    parameters.filter(({ name }) => name.endsWith(".weight"))
      .map(({ name, shape }) => `${name} ${shape.join("x")}`),
    [
      "features.0.weight 64x3x3x3",
      "features.2.weight 64x64x3x3",
      "features.5.weight 128x64x3x3",
      "features.7.weight 128x128x3x3",
      "features.10.weight 256x128x3x3",
      "features.12.weight 256x256x3x3",
      "features.14.weight 256x256x3x3",
      "features.17.weight 512x256x3x3",
      "features.19.weight 512x512x3x3",
      "features.21.weight 512x512x3x3",
      "features.24.weight 512x512x3x3",
      "features.26.weight 512x512x3x3",
      "features.28.weight 512x512x3x3",
      "classifier.weight 10x512",
    ],
  );
});

Deno.test("vgg() with batch normalisation is numbered as torchvision's vgg16_bn", () => {
  const names = parametersOf(vgg("vgg16", { classes: 2, batchNorm: true }))
    .map(({ name }) => name);
  assertEquals(names.length, 13 * 6 + 2);
  assertEquals(names.slice(0, 8), [
    "features.0.weight",
    "features.0.bias",
    "features.1.weight",
    "features.1.bias",
    "features.1.running_mean",
    "features.1.running_var",
    "features.3.weight",
    "features.3.bias",
  ]);
  assertEquals(names.includes("features.40.weight"), true);
});

Deno.test("vgg() takes any trunk, channels and slope", () => {
  const { nodes: layers } = graphOf(
    vgg([8, "M", 16], { classes: 3, inputChannels: 1, negativeSlope: 0 }),
  );
  assertEquals(layers.map(({ layer }) => layer.kind), [
    "conv2d",
    "leakyRelu",
    "maxPool2d",
    "conv2d",
    "leakyRelu",
    "globalAveragePool",
    "linear",
  ]);
  assertEquals(layers[1]!.layer, { kind: "leakyRelu", negativeSlope: 0 });
});

Deno.test("vgg() rejects unknown names and trunks without convolutions", () => {
  for (const name of ["vgg12", "toString", ""]) {
    assertThrows(
      () => vgg(name as VggName, { classes: 2 }),
      GapcamError,
      `Cannot describe model ${JSON.stringify(name)}: expected one of ` +
        "vgg11, vgg13, vgg16, vgg19",
    );
  }
  assertThrows(() => vgg([], { classes: 2 }), GapcamError, "without");
  assertThrows(() => vgg(["M"], { classes: 2 }), GapcamError, "without");
  assertThrows(
    () => vgg(["X" as VggStep, 3], { classes: 2 }),
    GapcamError,
    'with step "X"',
  );
  assertThrows(() => vgg([0], { classes: 2 }), GapcamError, "is 0");
  assertThrows(() => vgg([4], { classes: 0 }), GapcamError, "is 0");
});
