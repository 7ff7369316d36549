import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  evaluate,
  GapcamError,
  InferenceProgram,
  Network,
  openDevice,
  shapesDataset,
  vgg,
} from "../../mod.ts";
import { Calibration } from "../../src/train/_calibration.ts";
import { formatEvaluation } from "../../src/train/format_evaluation.ts";
import { evaluationOf } from "../../src/train/evaluation.ts";

const OPTIONS = {
  classes: ["cat", "dog", "eel"],
  dataset: "pets",
  split: "test" as const,
  loss: 1.25,
};

Deno.test("evaluationOf() counts classes and the whole", () => {
  const evaluation = evaluationOf([[3, 1, 0], [0, 2, 2], [0, 0, 0]], OPTIONS);
  assertEquals(evaluation.images, 8);
  assertEquals(evaluation.correct, 5);
  assertEquals(evaluation.accuracy, 0.625);
  assertEquals(evaluation.classes, [
    // F1 of 3/4 and 3/3, of 2/4 and 2/3.
    {
      name: "cat",
      images: 4,
      correct: 3,
      accuracy: 0.75,
      precision: 1,
      f1: 6 / 7,
    },
    {
      name: "dog",
      images: 4,
      correct: 2,
      accuracy: 0.5,
      precision: 2 / 3,
      f1: 4 / 7,
    },
    { name: "eel", images: 0, correct: 0, accuracy: 0, precision: 0, f1: 0 },
  ]);
  assertEquals(evaluation.confused, [
    { label: 1, predicted: 2, images: 2 },
    { label: 0, predicted: 1, images: 1 },
  ]);
});

Deno.test("evaluationOf() rejects a matrix that does not fit the classes", () => {
  assertThrows(
    () => evaluationOf([[1, 2], [3, 4]], OPTIONS),
    GapcamError,
    "Cannot evaluate 3 classes: the confusion matrix has 2 rows of 2",
  );
});

Deno.test("formatEvaluation() aligns classes and the confusion matrix", () => {
  const text = formatEvaluation(
    evaluationOf([[3, 1, 0], [0, 2, 2], [0, 0, 12]], {
      ...OPTIONS,
      top5: 1,
      calibrationError: 0.04,
    }),
  );
  assertEquals(
    text,
    `Accuracy on pets, test split

  cat   75.00 %   3 of  4   precision 100.00 %   F1  85.71 %
  dog   50.00 %   2 of  4   precision  66.67 %   F1  57.14 %
  eel  100.00 %  12 of 12   precision  85.71 %   F1  92.31 %

85.00 %  of all 20 images (17 correct), loss 1.2500
4.00 %  calibration error: how far confidence is from accuracy
Most often taken: dog for eel (2), cat for dog (1)

Confusion matrix: a row is what an image is, a column what it was taken for

            0   1   2
  cat   0   3   1   0
  dog   1   0   2   2
  eel   2   0   0  12`,
  );
});

Deno.test("formatEvaluation() leaves out a confusion matrix of 21 classes", () => {
  const classes = Array.from({ length: 21 }, (_, i) => `class ${i}`);
  const confusion = classes.map((_, i) =>
    classes.map((_, j) => i === j ? 1 : 0)
  );
  const text = formatEvaluation(
    evaluationOf(confusion, { ...OPTIONS, classes, top5: 0.5 }),
  );
  assertStringIncludes(text, "50.00 %  among the first five answers");
  assertStringIncludes(text, "100.00 %  of all 21 images");
  assertEquals(text.includes("Confusion"), false);
});

Deno.test("evaluate() counts every image once, a short last batch too", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([4, "M", 8], { classes: 10 });
  using network = new Network(device, model, { seed: 1 });
  const shapes = shapesDataset("test", { size: 16, length: 23 });
  const whole = await evaluate(network, shapes, { batchSize: 23 });
  const parts = await evaluate(network, shapes, { batchSize: 5 });
  assertEquals(whole.images, 23);
  assertEquals(parts.confusion, whole.confusion);
  assertEquals(
    Array.from(shapes.labels).filter((label) => label === 2).length,
    whole.classes[2]!.images,
  );
  assert(Math.abs(parts.loss - whole.loss) < 1e-5);
});

Deno.test("evaluate() counts labels among the five greatest logits", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
  const shapes = shapesDataset("test", { size: 16, length: 40 });
  using program = await InferenceProgram.compile(network, {
    batchSize: 40,
    image: shapes,
  });
  const images = new Uint8Array(40 * 16 * 16 * 3);
  await shapes.read(Array.from({ length: 40 }, (_, i) => i), images);
  const logits = await program.run(images);
  const among = Array.from(shapes.labels).filter((label, i) => {
    const row = [...logits.subarray(10 * i, 10 * i + 10)];
    const order = row.map((_, j) => j).sort((a, b) => row[b]! - row[a]!);
    return order.slice(0, 5).includes(label);
  });
  assert(among.length > 0 && among.length < 40);
  assertEquals((await evaluate(network, shapes)).top5, among.length / 40);
});

Deno.test("Calibration says how far confidence is from accuracy, bin by bin", () => {
  const calibration = new Calibration();
  assertEquals(calibration.error(), 0);
  // One bin: right once in two, at 0.95 and 0.99; another: wrong at 0.4.
  calibration.count(0.95, true);
  calibration.count(0.99, false);
  calibration.count(0.4, false);
  const expected = (2 * Math.abs(0.5 - 0.97) + 0.4) / 3;
  assertAlmostEquals(calibration.error(), expected, 1e-12);
});

Deno.test("evaluate() stops when its signal is aborted", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4], { classes: 10 }));
  const stop = new AbortController();
  const done: number[] = [];
  await assertRejects(
    () =>
      evaluate(network, shapesDataset("test", { size: 8, length: 20 }), {
        batchSize: 5,
        signal: stop.signal,
        onProgress: (images) => {
          done.push(images);
          if (images === 10) stop.abort(new Error("enough"));
        },
      }),
    Error,
    "enough",
  );
  assertEquals(done, [5, 10]);
});
