import { assertEquals, assertStringIncludes } from "@std/assert";
import { batchNorm2d, linear, sequential } from "../../mod.ts";
import { conv2d, globalAveragePool } from "../../mod.ts";
import { summary } from "../../src/nn/summary.ts";
import { vgg } from "../../src/models/vgg.ts";

Deno.test("summary() of the seed network counts 28 tensors, 14,719,818 parameters", () => {
  const lines = summary(vgg("vgg16", { classes: 10 }), [3, 224, 224])
    .split("\n");
  assertEquals(
    lines.at(-1),
    "28 tensors, 14,719,818 parameters, 15,346,635,776 multiply-adds",
  );
  assertEquals(lines.length, 2 + 31 + 2 + 1);
  const last = lines.find((line) => line.startsWith("features.28"))!;
  assertStringIncludes(last, "[512, 14, 14]");
  assertStringIncludes(last, "[512, 512, 3, 3] [512]");
  assertStringIncludes(last, "2,359,808");
});

Deno.test("summary() does not count running statistics as parameters", () => {
  const model = sequential([
    conv2d(1, 2, { kernelSize: 1 }),
    batchNorm2d(2),
    globalAveragePool(),
    linear(2, 2),
  ]);
  assertEquals(
    summary(model, [1, 4, 4]).split("\n").at(-1),
    "6 tensors, 14 parameters, 36 multiply-adds",
  );
});

Deno.test("summary() of a bare layer finds its parameters", () => {
  assertStringIncludes(summary(conv2d(1, 2), [1, 4, 4]), "[2, 1, 3, 3] [2]");
});
