import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import {
  GapcamError,
  initialise,
  initialWeights,
  type ScheduleName,
  trainingConfig,
  vgg,
} from "../../mod.ts";
import { learningRateAt } from "../../src/train/learning_rate.ts";
import { choosePreset } from "../../src/train/presets.ts";
import { optimiserOf } from "../../src/train/optimiser_of.ts";

Deno.test("trainingConfig() keeps defaults where a value is undefined", () => {
  assertEquals(
    trainingConfig({ epochs: undefined as unknown as number }),
    trainingConfig(),
  );
});

for (
  const [name, value] of [
    ["imageSize", 0],
    ["batchSize", 1.5],
    ["epochs", -1],
    ["crop", NaN],
    ["seed", -1],
    ["logEvery", 0],
    ["labelSmoothing", 1],
    ["interpolation", "lanczos"],
    ["cropShare", 0],
    ["cropShare", 1.5],
    ["cropShare", "all"],
    ["mean", []],
    ["deviation", [Infinity]],
    ["learningRate", -1],
    ["optimiser", "lion"],
    ["emaDecay", 1],
    ["emaDecay", -0.1],
    ["testFlips", "yes"],
    ["accumulate", 0],
    ["clipNorm", -1],
    ["clipNorm", Infinity],
    ["mixup", -1],
    ["cutmix", "much"],
    ["loss", "hinge"],
    ["classWeights", "even"],
  ] as const
) {
  Deno.test(`trainingConfig() refuses ${name} ${JSON.stringify(value)}`, () => {
    const error = assertThrows(
      () => trainingConfig({ [name]: value }),
      GapcamError,
    );
    assertEquals(error.message.includes(name), true, error.message);
  });
}

Deno.test("trainingConfig() refuses weights of classes that sum to zero", () => {
  for (const classWeights of [[0, 0], [1, -1], [NaN, 1]]) {
    assertThrows(
      () => trainingConfig({ classWeights }),
      GapcamError,
      "expected numbers from 0 that do not sum to zero",
    );
  }
});

Deno.test("optimiserOf() passes on what the configuration says", () => {
  const common = { learningRate: 0.1, weightDecay: 0.01, momentum: 0.8 };
  const nesterov = optimiserOf(
    trainingConfig({ ...common, optimiser: "nesterov" }),
  );
  assertEquals(nesterov, {
    kind: "sgd",
    learningRate: 0.1,
    weightDecay: 0.01,
    momentum: 0.8,
    nesterov: true,
    dampening: 0,
  });
  const adamW = optimiserOf(trainingConfig({ ...common, optimiser: "adamw" }));
  assertEquals([adamW.kind, adamW.weightDecay], ["adamW", 0.01]);
});

const RUN = { learningRate: 1, stepsPerEpoch: 10, epochs: 3 };

Deno.test("learningRateAt() follows each schedule", () => {
  const rates = (schedule: ScheduleName) =>
    [0, 9, 10, 29].map((step) => learningRateAt(schedule, step, RUN));
  assertEquals(rates("constant"), [1, 1, 1, 1]);
  const expected: [ScheduleName, number[]][] = [
    ["step", [1, 1, 0.1, 0.01]],
    ["cosine", [
      1,
      (1 + Math.cos(0.3 * Math.PI)) / 2,
      0.75,
      (1 + Math.cos(29 / 30 * Math.PI)) / 2,
    ]],
    ["warm-up", [1 / 3, 1 / 3 + 0.6, 1, 1]],
  ];
  for (const [schedule, wanted] of expected) {
    rates(schedule).forEach((rate, i) =>
      assertAlmostEquals(rate, wanted[i]!, 1e-12)
    );
  }
  const cycle = rates("one-cycle");
  assertAlmostEquals(cycle[0]!, 1 / 25, 1e-12);
  assertAlmostEquals(cycle[3]!, 1 / 25e4, 1e-9);
  assert(cycle[1]! > 0.9 && cycle[2]! > 0.9);
});

Deno.test("learningRateAt() refuses an unknown schedule", () => {
  assertThrows(
    () => learningRateAt("linear" as ScheduleName, 0, RUN),
    GapcamError,
    'Cannot schedule the learning rate by "linear"',
  );
});

Deno.test("choosePreset() takes seed where STL-10 and a GPU are there, and says why not", () => {
  assertEquals(choosePreset({ stl10: true, gpu: true }).name, "seed");
  assertEquals(choosePreset({ stl10: false, gpu: true }), {
    name: "quick",
    reason: "STL-10 is not there",
  });
  assertEquals(choosePreset({ stl10: false, gpu: false }), {
    name: "quick",
    reason: "STL-10 is not there and no GPU is in use",
  });
});

Deno.test("initialWeights() takes what fits and names the rest", () => {
  const old = initialise(vgg([4, "M", 8], { classes: 10 }), 1);
  old.set("extra", { shape: [1], data: new Float32Array(1) });
  const model = vgg([4, "M", 8, 8], { classes: 10 });
  const { state, taken, fresh, unused } = initialWeights(model, old, {
    seed: 2,
  });
  assertEquals(unused, ["extra"]);
  assertEquals(fresh, ["features.5.weight", "features.5.bias"]);
  assertEquals(taken.length, 6);
  assertEquals(state.get("features.0.weight"), old.get("features.0.weight"));
  assertEquals(
    state.get("features.5.weight"),
    initialise(model, 2).get("features.5.weight"),
  );
  assertThrows(
    () => initialWeights(vgg([5], { classes: 3 }), old),
    GapcamError,
    "Cannot start from these weights: none of their 7 tensors",
  );
});

Deno.test("initialWeights() takes a layer whole or not at all", () => {
  // Of another head the bias alone would fit.
  const old = initialise(vgg([4, "M", 8], { classes: 10 }), 1);
  const { fresh, taken } = initialWeights(vgg([4, 6], { classes: 10 }), old);
  assertEquals(taken, ["features.0.weight", "features.0.bias"]);
  assertEquals(fresh, [
    "features.2.weight",
    "features.2.bias",
    "classifier.weight",
    "classifier.bias",
  ]);
});

Deno.test("initialWeights() refuses to freeze what starts fresh", () => {
  const old = initialise(vgg([4, "M", 8], { classes: 10 }), 1);
  const model = vgg([4, "M", 8, 8], { classes: 3 });
  assertThrows(
    () => initialWeights(model, old, { freeze: ["features"] }),
    GapcamError,
    "Cannot freeze what starts at random: features.5.weight, features.5.bias; " +
      "freeze what is taken from weights that fit the model",
  );
  const { fresh } = initialWeights(model, old, {
    freeze: ["features.0", "features.3"],
  });
  assertEquals(fresh.length, 4);
});

Deno.test("initialWeights() says one tensor where there is one", () => {
  const one = new Map([["x", { shape: [1], data: new Float32Array(1) }]]);
  assertThrows(
    () => initialWeights(vgg([5], { classes: 3 }), one),
    GapcamError,
    "none of their 1 tensor has the name",
  );
});

Deno.test("trainingConfig() decays weights by 0.01 with adamw alone, as PyTorch does", () => {
  const { weightDecay } = trainingConfig({ optimiser: "adamw" });
  assertEquals(weightDecay, 0.01);
  assertEquals(trainingConfig({ optimiser: "adam" }).weightDecay, 0);
  const none = trainingConfig({ optimiser: "adamw", weightDecay: 0 });
  assertEquals(none.weightDecay, 0);
});
