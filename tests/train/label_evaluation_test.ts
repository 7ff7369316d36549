import {
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
} from "@std/assert";
import {
  datasetOf,
  evaluate,
  Network,
  openDevice,
  train,
  trainingConfig,
  vgg,
} from "../../mod.ts";
import { formatEvaluation } from "../../src/train/format_evaluation.ts";
import {
  averagePrecision,
  labelEvaluationOf,
} from "../../src/train/label_evaluation.ts";
import { fillUniform, labels } from "../nn/_hashed.ts";

const fixture = JSON.parse(
  await Deno.readTextFile(
    new URL("../fixtures/train/labels.json", import.meta.url),
  ),
) as {
  images: number;
  classes: number;
  averagePrecision: number[];
  meanAveragePrecision: number;
  precision: number[];
  recall: number[];
  f1: number[];
  exactMatch: number;
  loss: number;
};

Deno.test("several labels an image are judged as scikit-learn does", () => {
  const { images, classes: count } = fixture;
  const drawn = new Float32Array(images * count);
  fillUniform(drawn, 1, 4);
  const targets = Array.from(
    labels(images * count, 3, 2),
    (x) => Number(x === 0),
  );
  const knows = labels(images * count, 2, 3);
  const half = (x: number) => {
    const below = Math.floor(x);
    // Python rounds halves to even.
    return x - below === 0.5 ? below + Math.abs(below % 2) : Math.round(x);
  };
  const logits = Array.from(drawn, (x, i) => {
    const rounded = half(x * 4) / 4;
    return knows[i] === 0 ? Math.abs(rounded) * (2 * targets[i]! - 1) : rounded;
  });
  const evaluation = labelEvaluationOf(logits, targets, {
    classes: ["a", "b", "c", "d"],
    ...{ dataset: "photos", split: "test" },
  });
  assertAlmostEquals(
    evaluation.meanAveragePrecision!,
    fixture.meanAveragePrecision,
    1e-12,
  );
  assertAlmostEquals(evaluation.accuracy, fixture.exactMatch, 1e-12);
  assertAlmostEquals(evaluation.loss, fixture.loss, 1e-6);
  evaluation.classes.forEach((one, c) => {
    assertAlmostEquals(
      one.averagePrecision!,
      fixture.averagePrecision[c]!,
      1e-12,
    );
    assertAlmostEquals(one.precision, fixture.precision[c]!, 1e-12);
    assertAlmostEquals(one.accuracy, fixture.recall[c]!, 1e-12);
    assertAlmostEquals(one.f1, fixture.f1[c]!, 1e-12);
  });
  const text = formatEvaluation(evaluation);
  assertStringIncludes(text, "mean average precision");
  assertStringIncludes(text, "with every label right");
});

Deno.test("what is not known counts nowhere, and a class without images has no precision", () => {
  const evaluation = labelEvaluationOf([1, -1, 1, -1], [1, -1, -1, -1], {
    classes: ["sun", "sea"],
    ...{ dataset: "photos", split: "test" },
  });
  assertEquals([evaluation.images, evaluation.correct], [1, 1]);
  assertEquals(evaluation.meanAveragePrecision, 1);
  assertEquals(evaluation.classes[1]!.averagePrecision, 0);
  assertEquals(averagePrecision([NaN, 1], [true, false]), 0.5);
});

/** Bright above, bright below, both or neither. */
function halves(count: number, split: "train" | "test") {
  const images = new Uint8Array(count * 64);
  const targets = Array.from({ length: count }, (_, i) => [
    i % 2,
    Math.floor(i / 2) % 2,
  ]);
  targets.forEach(([above, below], i) => {
    images.fill(220 * above!, i * 64, i * 64 + 32);
    images.fill(220 * below!, i * 64 + 32, i * 64 + 64);
  });
  return datasetOf({
    ...{ images, targets: targets.flat(), classes: ["above", "below"] },
    ...{ height: 8, width: 8, channels: 1, split },
  });
}

Deno.test("a network learns several labels an image, and one alone", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const config = trainingConfig({
    ...{ imageSize: 8, batchSize: 8, epochs: 40, learningRate: 0.02 },
    ...{ loss: "binary", classWeights: "balanced" },
  });
  const dataset = halves(32, "train");
  // Pooled at the end, a place is told by what lies beside it.
  const model = vgg([8, "M", 16], { classes: 2, inputChannels: 1 });
  using network = new Network(device, model);
  await train(network, dataset, { config });
  const evaluation = await evaluate(network, halves(8, "test"));
  assertEquals(evaluation.accuracy, 1);
  assertEquals(evaluation.meanAveragePrecision, 1);
  const bright = datasetOf({
    ...{ images: new Uint8Array(16 * 64).fill(250, 8 * 64) },
    targets: Array.from({ length: 16 }, (_, i) => Number(i >= 8)),
    ...{ classes: ["bright"], height: 8, width: 8, channels: 1 },
  });
  using one = new Network(
    device,
    vgg([4, "M", 8], { classes: 1, inputChannels: 1 }),
  );
  await train(one, bright, { config });
  assertEquals((await evaluate(one, bright)).accuracy, 1);
});
