import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  batchNorm2d,
  conv2d,
  describeModel,
  globalAveragePool,
  linear,
  relu,
  residual,
  sequential,
} from "../../mod.ts";
import { MODELS } from "../../src/models/find_model.ts";

/** Parameters and 10^9 multiply-adds that torchvision publishes (`_ops`). */
const PUBLISHED: Readonly<Record<string, readonly [number, number]>> = {
  resnet18: [11_689_512, 1.814],
  resnet152: [60_192_808, 11.514],
  resnext101_32x8d: [88_791_336, 16.414],
  wide_resnet50_2: [68_883_240, 11.398],
  densenet121: [7_978_856, 2.834],
  densenet201: [20_013_928, 4.291],
  squeezenet1_0: [1_248_424, 0.819],
  squeezenet1_1: [1_235_496, 0.349],
  googlenet: [6_624_904, 1.498],
  mobilenet_v2: [3_504_872, 0.301],
  mnasnet1_0: [4_383_312, 0.314],
  efficientnet_b0: [5_288_548, 0.386],
  efficientnet_b4: [19_341_616, 4.394],
  regnet_y_400mf: [4_344_144, 0.402],
  shufflenet_v2_x1_0: [2_278_604, 0.145],
  alexnet: [61_100_840, 0.714],
  vgg11_linear: [132_863_336, 7.609],
  vgg19_bn_linear: [143_678_248, 19.632],
};

Deno.test("describeModel() counts what torchvision publishes of its networks", () => {
  for (const [name, [parameters, cost]] of Object.entries(PUBLISHED)) {
    const { build, imageSize } = MODELS[name]!;
    const found = describeModel(build({ classes: 1000 }), [
      3,
      imageSize,
      imageSize,
    ]);
    assertEquals(found.parameters, parameters, name);
    assertAlmostEquals(found.multiplyAdds / 1e9, cost, 0.00051, name);
  }
});

Deno.test("describeModel() says what each layer reads, makes, has and costs", () => {
  const { layers, ...all } = describeModel(
    sequential([
      conv2d(3, 8, { padding: 1, stride: 2, groups: 1, bias: false }),
      batchNorm2d(8),
      residual(sequential([conv2d(8, 8, { padding: 1, groups: 4 }), relu()])),
      globalAveragePool(),
      linear(8, 5),
    ]),
    [3, 10, 6],
  );
  assertEquals(
    layers.map((
      { kind, inputs, outputShape, parameters, elements, multiplyAdds },
    ) => [
      ...[kind, inputs, outputShape.join()],
      ...[parameters, elements, multiplyAdds],
    ]),
    [
      ["conv2d", [-1], "8,5,3", 216, 216, 27 * 8 * 15],
      // Running mean and variance are no parameters.
      ["batchNorm2d", [0], "8,5,3", 16, 32, 0],
      ["conv2d", [1], "8,5,3", 152, 152, 18 * 8 * 15],
      ["leakyRelu", [2], "8,5,3", 0, 0, 0],
      ["add", [3, 1], "8,5,3", 0, 0, 0],
      ["globalAveragePool", [4], "8", 0, 0, 0],
      ["linear", [5], "5", 45, 45, 40],
    ],
  );
  assertEquals(all, {
    ...{ inputShape: [3, 10, 6], output: 6, tensors: 7 },
    parameters: 216 + 16 + 152 + 45,
    multiplyAdds: 27 * 8 * 15 + 18 * 8 * 15 + 40,
  });
});
