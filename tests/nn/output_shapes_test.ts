import { assertEquals, assertThrows } from "@std/assert";
import {
  batchNorm2d,
  conv2d,
  globalAveragePool,
  type Layer,
  linear,
  maxPool2d,
  relu,
  sequential,
} from "../../mod.ts";
import { shapesOf } from "../../mod.ts";
import { vgg } from "../../src/models/vgg.ts";
import { GapcamError } from "../../src/error.ts";

Deno.test("shapesOf() follows strides, paddings and kernels as PyTorch does", () => {
  const model = sequential([
    conv2d(3, 8, { kernelSize: [3, 5], stride: [2, 3], padding: [1, 0] }),
    relu(),
    maxPool2d(3, { stride: 2, padding: 1 }),
    globalAveragePool(),
    linear(8, 4),
  ]);
  assertEquals(
    shapesOf(model, [3, 33, 20]).map(({ outputShape }) => outputShape),
    [[8, 17, 6], [8, 17, 6], [8, 9, 3], [8], [4]],
  );
});

Deno.test("shapesOf() says which image size the pools need", () => {
  const seed = vgg("vgg16", { classes: 10 });
  const error = assertThrows(
    () => shapesOf(seed, [3, 16, 16]),
    GapcamError,
    "Cannot build layer features.30 (maxPool2d): an image of 16 x 16 is too " +
      "small for the model's 5 pools; use at least 32 x 32",
  );
  assertEquals(error.code, "shape-mismatch");
  assertEquals(shapesOf(seed, [3, 32, 32]).at(-1)!.outputShape, [10]);
  const valid = sequential([conv2d(1, 1, { kernelSize: 5, stride: 2 })]);
  assertThrows(
    () => shapesOf(valid, [1, 4, 9]),
    GapcamError,
    "use at least 5 x 5",
  );
});

Deno.test("shapesOf() names the layer that does not fit", () => {
  for (
    const [layers, message] of [
      [
        [conv2d(1, 4)],
        "layer 0 (conv2d): it takes 1 channels, found [3, 8, 8]",
      ],
      [[batchNorm2d(4)], "layer 0 (batchNorm2d): it takes 4 channels"],
      [
        [linear(3, 4)],
        "layer 0 (linear): it takes 3 features, found [3, 8, 8]",
      ],
      [
        [globalAveragePool(), maxPool2d(2)],
        "layer 1 (maxPool2d): it takes [channels, height, width], found [3]",
      ],
      [
        [globalAveragePool(), linear(4, 2)],
        "layer 1 (linear): it takes 4 features, found [3]",
      ],
      [[globalAveragePool(), globalAveragePool()], "layer 1"],
    ] as [Layer[], string][]
  ) {
    assertThrows(
      () => shapesOf(sequential(layers), [3, 8, 8]),
      GapcamError,
      message,
    );
  }
  assertThrows(
    () => shapesOf(relu(), [3, 0, 8]),
    GapcamError,
    "expected three positive whole numbers",
  );
});
