/** Losses in every form, forward and backward, on every device that opens. */

import { assertEquals, assertLess, assertThrows } from "@std/assert";
import type { Tensor } from "../../src/device/tensor.ts";
import { GapcamError } from "../../src/error.ts";
import { Random } from "../../src/random.ts";
import { array64 } from "../operations/_case.ts";
import {
  binaryCrossEntropy,
  crossEntropy,
} from "../operations/cross_entropy.ts";
import { deviceTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";

/** Also where both are 0. */
function errorOf(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): number {
  const differences = Array.from(expected, (x, i) => actual[i]! - x);
  return Math.hypot(...differences) /
    Math.max(Math.hypot(...Array.from(expected)), 1e-6);
}

const SIZES = [[1, 3], [5, 1], [7, 10], [33, 1000], [300, 4]] as const;

/** Every third row, or element, counts nowhere. */
function targetsOf(
  n: number,
  classes: number,
  form: "labels" | "targets" | "binary",
): Int32Array | Float32Array {
  const random = new Random(2);
  const ignored = (i: number) => n > 1 && i % 3 === 1;
  if (form === "labels") {
    return Int32Array.from(
      { length: n },
      (_, i) => ignored(i) ? -1 : random.integer(classes),
    );
  }
  if (form === "binary") {
    const drawn = [0, 0, 1, 0.25];
    return Float32Array.from(
      { length: n * classes },
      (_, i) => ignored(i) ? -1 : drawn[random.integer(4)]!,
    );
  }
  const targets = new Float32Array(n * classes);
  for (let row = 0; row < n; row++) {
    const [first, second] = [random.integer(classes), random.integer(classes)];
    targets[row * classes + first]! += 0.7;
    targets[row * classes + second]! += 0.3;
    if (ignored(row)) targets[row * classes] = -1;
  }
  return targets;
}

/** Images that count, and those whose answer is right. */
function countsOf(
  logits: Float32Array,
  labels: Int32Array | Float32Array,
  { classes, binary }: { classes: number; binary: boolean },
): [number, number] {
  const greatest = (row: Float32Array) => row.indexOf(Math.max(...row));
  let counted = 0, correct = 0;
  for (let start = 0; start < logits.length; start += classes) {
    const row = logits.subarray(start, start + classes);
    if (labels instanceof Int32Array) {
      const label = labels[start / classes]!;
      counted += Number(label !== -1);
      correct += Number(greatest(row) === label);
      continue;
    }
    const wanted = labels.subarray(start, start + classes);
    if (binary) {
      const known = [...row.keys()].filter((c) => wanted[c] !== -1);
      if (known.length === 0) continue;
      counted++;
      correct += Number(known.every((c) => row[c]! > 0 === wanted[c]! > 0.5));
    } else if (wanted[0] !== -1) {
      counted++;
      correct += Number(greatest(row) === greatest(wanted));
    }
  }
  return [counted, correct];
}

for (const form of ["labels", "targets", "binary"] as const) {
  deviceTest(`a loss of ${form} equals plain loops`, async (device) => {
    for (const [n, classes] of SIZES) {
      for (const smoothing of [0, 0.1]) {
        for (const weighted of [false, true]) {
          const what = `${n} x ${classes}, ${smoothing}, ${weighted}`;
          const values = uniform([n, classes], 1).map((x) => 5 * x);
          const labels = targetsOf(n, classes, form);
          const weights = weighted
            ? uniform([classes], 3).map((x) => Math.abs(x) + 0.1)
            : undefined;
          const binary = form === "binary";
          const reference = { smoothing, ...(weights ? { weights } : {}) };
          const expected = labels instanceof Float32Array && binary
            ? binaryCrossEntropy(
              array64([n, classes], values),
              labels,
              reference,
            )
            : crossEntropy(array64([n, classes], values), labels, reference);
          using stack = new DisposableStack();
          const logits = stack.use(
            device.tensor([n, classes], { data: values }),
          );
          const label: Tensor = stack.use(
            labels instanceof Int32Array
              ? device.tensor([n], { data: labels, staged: true })
              : device.tensor([n, classes], { data: labels, staged: true }),
          );
          const metrics = stack.use(device.tensor([8]));
          const options = {
            labelSmoothing: smoothing,
            metrics,
            ...(weights
              ? {
                weights: stack.use(device.tensor([classes], { data: weights })),
              }
              : {}),
          };
          const outputGradient = stack.use(
            device.tensor([1], { data: Float32Array.of(0.5) }),
          );
          const program = stack.use(device.program({ training: true }));
          const loss = binary
            ? program.binaryCrossEntropy(logits, label, options)
            : program.crossEntropy(logits, label, options);
          const [gradient] = program.backward(loss, [logits], {
            outputGradient,
          });
          await program.compile();
          for (let i = 0; i < 2; i++) await program.run("forward", "backward");
          const [value] = loss.read();
          assertLess(
            errorOf([value!], [...expected.output.data]),
            2e-6,
            what,
          );
          assertLess(
            errorOf(
              gradient!.read(),
              expected.backward(Float64Array.of(0.5)).input,
            ),
            2e-6,
            what,
          );
          const [counted, correct] = countsOf(values, labels, {
            classes,
            binary,
          });
          const [sum, runs, right, images, largest, bad, last] = metrics
            .read();
          assertLess(errorOf([sum!], [2 * value!]), 1e-6, what);
          assertEquals(
            [runs, right, images, largest, bad, last],
            [2, 2 * correct, 2 * counted, value!, 0, value!],
            what,
          );
        }
      }
    }
  });
}

deviceTest(
  "a loss of a batch in which nothing counts is 0, and so is its gradient",
  async (device) => {
    using logits = device.tensor([2, 3], { data: uniform([2, 3], 1) });
    using labels = device.tensor([2], { data: Int32Array.of(-1, -1) });
    using targets = device.tensor([2, 3], {
      data: new Float32Array(6).fill(-1),
    });
    using one = device.tensor([2], { data: Int32Array.of(1, 1) });
    using weights = device.tensor([3], { data: Float32Array.of(1, 0, 1) });
    for (const form of [0, 1, 2, 3]) {
      using program = device.program();
      const loss = form === 0
        ? program.crossEntropy(logits, labels)
        : form === 1
        ? program.crossEntropy(logits, targets)
        : form === 2
        ? program.binaryCrossEntropy(logits, targets)
        : program.crossEntropy(logits, one, { weights });
      const [gradient] = program.backward(loss, [logits]);
      await program.compile();
      await program.run("forward", "backward");
      assertEquals([...loss.read()], [0]);
      assertEquals([...gradient!.read()], [0, 0, 0, 0, 0, 0]);
    }
  },
);

deviceTest(
  "binary cross-entropy stays finite at large logits, and NaN stays NaN",
  async (device) => {
    using logits = device.tensor([1, 4], {
      data: Float32Array.of(1000, -1000, Infinity, -Infinity),
    });
    using targets = device.tensor([1, 4], {
      data: Float32Array.of(0, 0, 1, 0),
    });
    using metrics = device.tensor([8]);
    using program = device.program();
    const loss = program.binaryCrossEntropy(logits, targets, { metrics });
    const [gradient] = program.backward(loss, [logits]);
    await program.compile();
    await program.run("forward", "backward");
    assertEquals([...loss.read()], [250]);
    assertEquals([...gradient!.read()], [0.25, 0, 0, 0]);
    logits.write(Float32Array.of(NaN, 0, 0, 0));
    targets.write(new Float32Array(4));
    await program.run("forward", "backward");
    assertEquals([...loss.read()], [NaN]);
    assertEquals(gradient!.read()[0], NaN);
    // An answer that is not a number is no right one.
    assertEquals(metrics.read()[2], 0);
  },
);

deviceTest("losses refuse what does not fit them", (device) => {
  using logits = device.tensor([2, 3]);
  using labels = device.tensor([2], { type: "i32" });
  using targets = device.tensor([3, 2]);
  using weights = device.tensor([2]);
  using program = device.program();
  for (
    const [use, message] of [
      [
        () => program.crossEntropy(logits, targets),
        "targets must have the shape [2, 3]",
      ],
      [
        () => program.binaryCrossEntropy(logits, labels),
        "targets must be f32, found i32",
      ],
      [
        () => program.crossEntropy(logits, labels, { weights }),
        "weights must have the shape [3]",
      ],
      [
        () => program.crossEntropy(logits, labels, { labelSmoothing: 2 }),
        "label smoothing must be between 0 and 1",
      ],
    ] as [() => unknown, string][]
  ) assertThrows(use, GapcamError, message);
});
