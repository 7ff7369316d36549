import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertNotEquals,
} from "@std/assert";
import { batchNorm2d, conv2d, linear, sequential } from "../../mod.ts";
import { initialise, parametersOf } from "../../src/nn/parameters.ts";

Deno.test("parametersOf() lists tensors in the order of state_dict()", () => {
  const model = sequential([
    conv2d(2, 4, { kernelSize: [1, 3], bias: false }),
    batchNorm2d(4),
    linear(4, 3),
  ]);
  assertEquals(
    parametersOf(model).map(({ name, shape, trainable, fanIn }) => [
      name,
      shape.join("x"),
      trainable,
      fanIn,
    ]),
    [
      ["0.weight", "4x2x1x3", true, 6],
      ["1.weight", "4", true, 0],
      ["1.bias", "4", true, 0],
      ["1.running_mean", "4", false, 0],
      ["1.running_var", "4", false, 0],
      ["2.weight", "3x4", true, 4],
      ["2.bias", "3", true, 4],
    ],
  );
});

Deno.test("a layer that nothing holds has PyTorch's bare names", () => {
  assertEquals(parametersOf(linear(2, 1)).map(({ name }) => name), [
    "weight",
    "bias",
  ]);
});

Deno.test("initialise() draws U(-1/sqrt(fan-in), 1/sqrt(fan-in))", () => {
  const bound = 1 / Math.sqrt(16 * 9);
  const state = initialise(conv2d(16, 256), 7);
  for (const [name, least] of [["weight", 0.999], ["bias", 0.97]] as const) {
    const { data } = state.get(name)!;
    const low = data.reduce((a, b) => Math.min(a, b));
    const high = data.reduce((a, b) => Math.max(a, b));
    assert(low >= -bound && low < -bound * least, `${name} from ${low}`);
    assert(high <= bound && high > bound * least, `${name} to ${high}`);
  }
  const weight = state.get("weight")!.data;
  const mean = weight.reduce((a, b) => a + b) / weight.length;
  const variance = weight.reduce((a, b) => a + b * b, 0) / weight.length;
  assertLess(Math.abs(mean), bound * 0.01);
  assertAlmostEquals(variance / (bound * bound / 3), 1, 0.02);
});

Deno.test("initialise() starts batch normalisation as the identity", () => {
  const state = initialise(batchNorm2d(2), 0);
  assertEquals(
    [...state].map(([name, { data }]) => [name, ...data]),
    [
      ["weight", 1, 1],
      ["bias", 0, 0],
      ["running_mean", 0, 0],
      ["running_var", 1, 1],
    ],
  );
});

Deno.test("initialise() depends on the seed alone, and later layers leave earlier ones as they were", () => {
  const short = sequential([linear(3, 4)]);
  const long = sequential([linear(3, 4), linear(4, 2)]);
  assertEquals(
    initialise(short, 5).get("0.weight"),
    initialise(long, 5).get("0.weight"),
  );
  assertNotEquals(
    initialise(short, 5).get("0.weight"),
    initialise(short, 6).get("0.weight"),
  );
  const { data } = initialise(long, 5).get("0.weight")!;
  assertEquals(new Set(data).size, 12);
});
