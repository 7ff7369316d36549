/** Updates of any gradients: sums of several batches, clipping by their norm, averages. */

import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { relativeError } from "../nn/_hashed.ts";
import { deviceTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";

const SHAPES = [[3], [5, 3, 3, 3], [300, 70], [1]] as const;

deviceTest(
  "the norm is of all gradients together, and cuts only what is longer",
  async (device) => {
    const values = SHAPES.map((shape, i) => uniform(shape, i + 1));
    const tensors = SHAPES.map((shape, i) =>
      device.tensor(shape, { data: values[i]! })
    );
    const all = values.flatMap((value) => [...value]);
    const expected = Math.hypot(...all);
    for (const maxNorm of [0.5, 2 * expected]) {
      using program = device.program();
      const { norm, factor } = program.gradientNorm(tensors, maxNorm);
      using parameter = device.tensor([3], { data: Float32Array.of(1, 2, 3) });
      using buffer = device.tensor([3]);
      using settings = device.tensor([8], {
        data: Float32Array.of(1, 0, 1, 0, 0, 1, 0, 0),
      });
      program.sgd({
        parameters: [parameter],
        gradients: [tensors[0]!],
        momentumBuffers: [buffer],
        settings,
        factor,
      });
      await program.compile();
      await program.run("update");
      assertLess(relativeError(norm.read(), [expected]), 1e-6);
      const by = Math.min(1, maxNorm / (expected + 1e-6));
      assertLess(relativeError(factor.read(), [by]), 1e-6);
      assertLess(
        relativeError(
          parameter.read(),
          [1, 2, 3].map((x, i) => x - by * values[0]![i]!),
        ),
        1e-6,
      );
    }
    for (const tensor of tensors) tensor[Symbol.dispose]();
  },
);

deviceTest(
  "a norm that is not finite makes no step a number",
  async (device) => {
    for (const bad of [NaN, Infinity]) {
      using gradient = device.tensor([2], { data: Float32Array.of(bad, 1) });
      using program = device.program();
      const { norm, factor } = program.gradientNorm([gradient], 1);
      await program.compile();
      await program.run("update");
      assertEquals([...norm.read()], [bad]);
      // As PyTorch: 1 / NaN, and 1 / infinity.
      assertEquals([...factor.read()], [Number.isNaN(bad) ? NaN : 0]);
    }
  },
);

deviceTest(
  "sums of gradients of several runs update another program's parameters",
  async (device) => {
    const weights = uniform([4, 3], 1);
    using weight = device.tensor([4, 3], { data: weights });
    using sum = device.tensor([4, 3], {
      data: new Float32Array(12).fill(NaN),
    });
    using blending = device.tensor([2]);
    using input = device.tensor([2, 3]);
    using labels = device.tensor([2], { type: "i32" });
    using gradients = device.program({ training: true });
    const loss = gradients.crossEntropy(
      gradients.linear(input, weight),
      labels,
    );
    const [gradient] = gradients.backward(loss, [weight]);
    gradients.blend([sum], [gradient!], { settings: blending });
    await gradients.compile();
    const expected = new Float64Array(12);
    for (let i = 0; i < 3; i++) {
      input.write(uniform([2, 3], 10 + i));
      labels.write(Int32Array.of(i, 3));
      // What was there before the first counts for nothing, even NaN.
      blending.write(Float32Array.of(i === 0 ? 0 : 1, 1 / 3));
      await gradients.run("forward", "backward", "update");
      gradient!.read().forEach((g, j) => expected[j]! += g / 3);
    }
    assertLess(relativeError(sum.read(), expected), 1e-6);
    using update = device.program();
    using moment = device.tensor([4, 3]);
    using settings = device.tensor([8], {
      data: Float32Array.of(0.5, 0.9, 1, 0, 0, 1, 0, 0),
    });
    settings.write(Float32Array.of(0.5, 0.9, 1, 0, 0, 1, 0, 0));
    update.sgd({
      parameters: [weight],
      gradients: [sum],
      momentumBuffers: [moment],
      settings,
    });
    await update.compile();
    await update.run("update");
    assertLess(
      relativeError(
        weight.read(),
        expected.map((g, i) => weights[i]! - 0.5 * g),
      ),
      1e-6,
    );
  },
);

deviceTest(
  "what the program makes forward can be a gradient too",
  async (device) => {
    using x = device.tensor([1, 5, 2, 2], { data: uniform([1, 5, 2, 2], 1) });
    using parameter = device.tensor([1, 5, 2, 2]);
    using settings = device.tensor([2], { data: Float32Array.of(0.5, 2) });
    using program = device.program();
    program.blend([parameter], [program.leakyRelu(x, 0.5)], { settings });
    await program.compile();
    await program.run("forward", "update");
    assertLess(
      relativeError(
        parameter.read(),
        [...x.read()].map((value) => 2 * Math.max(value, 0.5 * value)),
      ),
      1e-6,
    );
  },
);

deviceTest("updates refuse what does not fit them", (device) => {
  using a = device.tensor([2]);
  using b = device.tensor([3]);
  using settings = device.tensor([8]);
  using program = device.program();
  for (
    const [use, message] of [
      [() => program.gradientNorm([], 1), "at least one gradient"],
      [() => program.gradientNorm([a], 0), "norm must be above 0, found 0"],
      [() => program.gradientNorm([a], NaN), "norm must be above 0"],
      [
        () => program.blend([a], [b], { settings }),
        "settings must have the shape [2], found [8]",
      ],
      [
        () =>
          program.sgd({
            parameters: [a],
            gradients: [b],
            momentumBuffers: [a],
            settings,
          }),
        "gradient must have the shape [2], found [3]",
      ],
      [
        () =>
          program.sgd({
            parameters: [a],
            gradients: [a],
            momentumBuffers: [a],
            settings,
            factor: b,
          }),
        "factor must have the shape [1], found [3]",
      ],
    ] as [() => unknown, string][]
  ) assertThrows(use, GapcamError, message);
});
