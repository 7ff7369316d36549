import { assertEquals } from "@std/assert";
import { conv2d } from "../../src/nn/layers/conv2d.ts";
import { globalAveragePool } from "../../src/nn/layers/global_average_pool.ts";
import { sequential } from "../../src/nn/layers/layer.ts";
import { linear } from "../../src/nn/layers/linear.ts";
import { maxPool2d } from "../../src/nn/layers/max_pool2d.ts";
import { strideOf } from "../../src/nn/stride_of.ts";
import { vgg } from "../../src/models/vgg.ts";

Deno.test("strideOf() says how many pixels a place of the last map stands for", () => {
  const head = [globalAveragePool(), linear(4, 2)];
  for (
    const [model, height, width] of [
      [vgg("vgg16", { classes: 10 }), 32, 32],
      [vgg([4, "M", 4], { classes: 2 }), 2, 2],
      // Without padding the map lacks a rim, which is no stride.
      [sequential([conv2d(3, 4, { kernelSize: 5 }), ...head]), 1, 1],
      [sequential([conv2d(3, 4, { stride: [2, 4] }), ...head]), 2, 4],
      [
        sequential([conv2d(1, 4, { stride: 3 }), maxPool2d(2), ...head]),
        6,
        6,
      ],
      [sequential([globalAveragePool(), linear(3, 2)]), 1, 1],
    ] as const
  ) {
    assertEquals(strideOf(model), { height, width });
  }
});
