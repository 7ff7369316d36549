/** Activations behind and before a convolution, and at the points where they bend. */

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { Activation } from "../../src/device/activation.ts";
import { ACTIVATIONS, scalarOf } from "../operations/activation.ts";
import { deviceTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";

type Numbers = (number | string)[];

/** Made by scripts/fixtures/device_activations.py. */
const fixture: Record<string, { output: Numbers; gradient: Numbers }> & {
  points: Numbers;
} = JSON.parse(
  await Deno.readTextFile(
    new URL("../fixtures/device/activations.json", import.meta.url),
  ),
);

function numbers(values: Numbers): number[] {
  return values.map((value) =>
    typeof value === "number" ? value : Number(
      value.replace("inf", "Infinity").replace("nan", "NaN"),
    )
  );
}

deviceTest(
  "activations at their bends, at infinity and of NaN are PyTorch's",
  async (device) => {
    const points = numbers(fixture.points);
    using input = device.tensor([points.length], {
      data: Float32Array.from(points),
    });
    using ones = device.tensor([points.length], {
      data: new Float32Array(points.length).fill(1),
    });
    const kinds: [string, Activation][] = [
      ["relu", { kind: "leakyRelu", negativeSlope: 0 }],
      ["clip", { kind: "clip", lower: 0, upper: 6 }],
      ["sigmoid", { kind: "sigmoid" }],
      ["silu", { kind: "silu" }],
      ["hardSigmoid", { kind: "hardSigmoid" }],
      ["hardSwish", { kind: "hardSwish" }],
      ["gelu", { kind: "gelu" }],
    ];
    for (const [kind, activation] of kinds) {
      using program = device.program();
      const output = program.output(program.activation(input, activation));
      const [gradient] = program.backward(output, [input], {
        outputGradient: ones,
      });
      await program.compile();
      await program.run("forward", "backward");
      const compare = (actual: Float32Array, wanted: number[], what: string) =>
        actual.forEach((value, i) => {
          const where = `${kind}, ${what} at ${points[i]}`;
          if (what === "gradient" && Number.isNaN(points[i])) {
            // PyTorch's own kernels disagree; here it never looks as if all were well.
            assert(value !== 0, where);
          } else if (Number.isFinite(wanted[i])) {
            assertLessOrEqual(
              Math.abs(value - wanted[i]!),
              1e-6 * Math.max(1, Math.abs(wanted[i]!)),
              `${where}: ${value}, expected ${wanted[i]}`,
            );
          } else {
            assertEquals(value, wanted[i], where);
          }
        });
      const { output: y, gradient: d } = fixture[kind]!;
      compare(output.read(), numbers(y), "output");
      compare(gradient!.read(), numbers(d), "gradient");
    }
  },
);

deviceTest(
  "activations equal their formulas, and their gradients finite differences",
  async (device) => {
    for (const activation of ACTIVATIONS) {
      const { output: formula } = scalarOf(activation);
      for (const convolved of [false, true]) {
        // Channels that do not fill a block: what fills up must stay 0.
        const shape = [2, 5, 3, 7];
        using x = device.tensor(shape, {
          data: uniform(shape, 1).map((value) => 5 * value),
        });
        const unit = new Float32Array(25);
        for (let i = 0; i < 5; i++) unit[i * 6] = 1;
        using weight = device.tensor([5, 5, 1, 1], { data: unit });
        using program = device.program();
        const before = convolved ? program.conv2d(x, weight) : x;
        const made = program.activation(before, activation);
        const output = program.output(
          convolved ? program.conv2d(made, weight) : made,
        );
        using outputGradient = device.tensor(shape, {
          data: uniform(shape, 2),
        });
        const [gradient] = program.backward(output, [x], { outputGradient });
        await program.compile();
        await program.run("forward", "backward");
        const what = `${JSON.stringify(activation)}, ${convolved}`;
        const values = x.read();
        const d = outputGradient.read();
        const step = 1e-5;
        const made64 = Float64Array.from(values, formula);
        const slopes = Float64Array.from(
          values,
          (value, i) =>
            d[i]! * (formula(value + step) - formula(value - step)) /
            (2 * step),
        );
        assertNear(output.read(), made64, 1e-6, what);
        assertNear(gradient!.read(), slopes, 1e-4, `${what}: gradient`);
      }
    }
  },
);

function assertNear(
  actual: Float32Array,
  wanted: Float64Array,
  bound: number,
  what: string,
): void {
  const norm = (values: Float64Array) => Math.hypot(...values);
  const difference = wanted.map((value, i) => value - actual[i]!);
  assertLessOrEqual(norm(difference) / norm(wanted), bound, what);
}
