import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { adam, adamW, sgd, updateSettings } from "../../src/nn/optimiser.ts";
import { GapcamError } from "../../src/error.ts";

Deno.test("optimisers have PyTorch's defaults", () => {
  assertEquals(adam(), {
    kind: "adam",
    learningRate: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
  });
  assertEquals(adamW().weightDecay, 0.01);
  assertEquals(adamW().kind, "adamW");
  assertEquals(sgd({ momentum: 0.9 }), {
    kind: "sgd",
    learningRate: 1e-3,
    momentum: 0.9,
    dampening: 0,
    nesterov: false,
    weightDecay: 0,
  });
});

Deno.test("updateSettings() corrects Adam's bias by the step", () => {
  const settings = updateSettings(adam(), { learningRate: 1e-5, step: 2 });
  const expected = [0.1, 0.999, 0.001, 1e-8, 0, 1, 1e-5 / 0.19];
  expected.forEach((value, i) =>
    assertAlmostEquals(settings[i]! / (value || 1), value ? 1 : 0, 1e-6)
  );
  assertAlmostEquals(settings[7]!, Math.sqrt(1 - 0.999 ** 2), 1e-8);
});

Deno.test("updateSettings() decays AdamW's parameters, not its gradients", () => {
  const settings = updateSettings(adamW({ weightDecay: 0.5 }), {
    learningRate: 0.1,
    step: 1,
  });
  assertEquals(settings[4], 0);
  assertEquals(settings[5], Math.fround(0.95));
});

Deno.test("updateSettings() tells SGD which step is the first", () => {
  const optimiser = sgd({ momentum: 0.5, dampening: 0.25, weightDecay: 2 });
  assertEquals(
    [...updateSettings(optimiser, { learningRate: 4, step: 1 })],
    [4, 0.5, 0.75, 2, 0, 1, 0, 0],
  );
  assertEquals(updateSettings(optimiser, { learningRate: 4, step: 2 })[5], 0);
});

Deno.test("optimisers reject numbers out of range, by name", () => {
  for (
    const [describe, message] of [
      [() => adam({ learningRate: -1 }), "learningRate is -1"],
      [() => adam({ learningRate: NaN }), "learningRate is NaN"],
      [() => adam({ beta1: 1 }), "beta1 is 1"],
      [() => adam({ beta2: -0.1 }), "beta2 is -0.1"],
      [() => adamW({ epsilon: -1 }), "epsilon is -1"],
      [() => sgd({ momentum: Infinity }), "momentum is Infinity"],
      [() => sgd({ weightDecay: -1 }), "weightDecay is -1"],
      [() => sgd({ nesterov: true }), "Nesterov needs a momentum"],
      [
        () => sgd({ nesterov: true, momentum: 0.9, dampening: 0.1 }),
        "no dampening",
      ],
    ] as [() => unknown, string][]
  ) {
    assertThrows(describe, GapcamError, message);
  }
});
