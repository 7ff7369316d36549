import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  averagePool2d,
  batchNorm2d,
  conv2d,
  globalAveragePool,
  graphOf,
  type Layer,
  leakyRelu,
  linear,
  maxPool2d,
  openDevice,
  relu,
  sequential,
  shapesOf,
} from "../../mod.ts";
import { logitsOf } from "../../src/nn/logits_of.ts";
import { parseModel } from "../../src/nn/parse_model.ts";
import { GapcamError } from "../../src/error.ts";

Deno.test("layers are plain data with PyTorch's defaults", () => {
  assertEquals(conv2d(3, 8), {
    kind: "conv2d",
    inputChannels: 3,
    outputChannels: 8,
    kernelSize: [3, 3],
    stride: [1, 1],
    padding: [0, 0],
    bias: true,
  });
  assertEquals(conv2d(3, 8, { kernelSize: [1, 5], padding: [0, 2] }).padding, [
    0,
    2,
  ]);
  assertEquals(maxPool2d(3), {
    kind: "maxPool2d",
    kernelSize: [3, 3],
    stride: [3, 3],
    padding: [0, 0],
  });
  assertEquals(maxPool2d(3, { stride: 2, padding: 1 }).stride, [2, 2]);
  assertEquals(relu(), { kind: "leakyRelu", negativeSlope: 0 });
  assertEquals(batchNorm2d(4), {
    kind: "batchNorm2d",
    channels: 4,
    epsilon: 1e-5,
    momentum: 0.1,
  });
  assertEquals(linear(2, 3, { bias: false }).bias, false);
  const model = sequential([conv2d(1, 1), relu()]);
  assertEquals(JSON.parse(JSON.stringify(model)), model);
});

Deno.test("pools pad each side by itself, or as TensorFlow's SAME", async () => {
  const values = Float32Array.from(
    { length: 2 * 8 * 6 },
    (_, i) => Math.sin(7 * i) + 3,
  );
  using device = openDevice("cpu", { threads: 1 });
  const pooled = async (layer: Layer) => {
    const model = sequential([layer, globalAveragePool()]);
    const input = { shape: [1, 2, 8, 6], data: values };
    return await logitsOf(device, model, { state: new Map(), input });
  };
  // Stride 2 halves the map of 8 x 6: one more row and column at the end.
  for (
    const describe of [
      (padding: "same" | [number, number, number, number]) =>
        maxPool2d(3, { stride: 2, padding }),
      (padding: "same" | [number, number, number, number]) =>
        averagePool2d(3, { stride: 2, padding, countIncludePad: false }),
    ]
  ) {
    const same = describe("same"), sides = describe([0, 0, 1, 1]);
    assertEquals(shapesOf(same, [2, 8, 6])[0]!.outputShape, [2, 4, 3]);
    assertEquals((await pooled(same)).data, (await pooled(sides)).data);
    assertNotEquals(
      (await pooled(same)).data,
      (await pooled(describe([1, 1, 0, 0]))).data,
    );
    assertEquals(parseModel(JSON.parse(JSON.stringify(sides))), sides);
    assertEquals(parseModel(JSON.parse(JSON.stringify(same))), same);
  }
});

Deno.test("graphOf() names layers as PyTorch's modules are named", () => {
  const model = sequential({
    features: sequential([conv2d(3, 4), sequential([relu(), maxPool2d(2)])]),
    pool: globalAveragePool(),
    classifier: linear(4, 2),
  });
  assertEquals(
    graphOf(model).nodes.map(({ name, layer }) => [name, layer.kind]),
    [
      ["features.0", "conv2d"],
      ["features.1.0", "leakyRelu"],
      ["features.1.1", "maxPool2d"],
      ["pool", "globalAveragePool"],
      ["classifier", "linear"],
    ],
  );
});

Deno.test("layers reject numbers that make no sense, by name", () => {
  for (
    const [describe, message] of [
      [() => conv2d(0, 8), "inputChannels is 0"],
      [() => conv2d(3, 1.5), "outputChannels is 1.5"],
      [() => conv2d(3, 8, { kernelSize: 0 }), "kernelSize is 0"],
      [() => conv2d(3, 8, { stride: [1, 0] }), "stride is 0"],
      [() => conv2d(3, 8, { padding: -1 }), "padding is -1"],
      [() => maxPool2d(NaN), "kernelSize is NaN"],
      [() => maxPool2d(2, { padding: 2 }), "at most half the kernel size"],
      [
        () => maxPool2d(3, { padding: [0, 1, 2, 1] }),
        "padding is 0 x 1 x 2 x 1, expected at most half the kernel size 3 x 3",
      ],
      [
        () => averagePool2d([2, 5], { padding: [1, 2, 1, 3] }),
        "Cannot describe average pooling: padding is 1 x 2 x 1 x 3",
      ],
      [() => leakyRelu(-0.1), "slope -0.1"],
      [() => leakyRelu(NaN), "slope NaN"],
      [() => batchNorm2d(3, { epsilon: 0 }), "epsilon is 0"],
      [() => batchNorm2d(3, { momentum: 2 }), "momentum is 2"],
      [() => linear(3, 0), "outputFeatures is 0"],
      [() => sequential([]), "the list is empty"],
      [() => sequential({ "a.b": relu() }), 'name a layer "a.b"'],
      [() => sequential({ "": relu() }), 'name a layer ""'],
    ] as [() => unknown, string][]
  ) {
    assertThrows(describe, GapcamError, message);
  }
});
