/**
 * What is not a number stays none, forward and backward, in every operation and by every kernel: a
 * network that diverged must not look as if it had not.
 */

import { assert, assertEquals } from "@std/assert";
import type { Device } from "../../src/device/device.ts";
import { libraryFolder } from "../../src/device/_library.ts";
import type { Tensor } from "../../src/device/tensor.ts";
import { Random } from "../../src/random.ts";
import { deviceTest } from "./_devices.ts";
import { type Array64, array64, type Case } from "../operations/_case.ts";
import { batchNorm2d } from "../operations/batch_norm2d.ts";
import { cases } from "../operations/cases.ts";

/** Where GAPCAM_CONVOLUTION and the like are set by the test at the end of this file. */
const isChild = Deno.env.get("GAPCAM_TEST_NAN") === "child";

function uniform(shape: readonly number[], seed: number): Float32Array {
  const length = shape.reduce((product, size) => product * size, 1);
  return new Random(seed).fillUniform(new Float32Array(length), -1, 1);
}

/** NaN wherever it is expected; more is allowed, since a transform spreads it over a tile. */
function assertNaNs(
  actual: Float32Array,
  expected: ArrayLike<number>,
  what: string,
): void {
  assertEquals(actual.length, expected.length, what);
  actual.forEach((value, i) => {
    if (Number.isNaN(expected[i])) {
      assert(Number.isNaN(value), `${what}: [${i}] is ${value}, expected NaN`);
    }
  });
}

/** Runs a case with one NaN in the middle of what `poisoned` names. */
async function checkCase(
  device: Device,
  one: Case,
  poisoned: string,
): Promise<void> {
  const what = `${one.name}, NaN in ${poisoned}`;
  const tensors: Record<string, Tensor> = {};
  const arrays: Record<string, Array64> = {};
  const poison = (name: string, data: Float32Array) => {
    if (name === poisoned) data[data.length >> 1] = NaN;
    return data;
  };
  const names = Object.keys(one.inputs);
  names.forEach((name, i) => {
    const shape = one.inputs[name]!;
    const data = poison(name, uniform(shape, i + 1));
    tensors[name] = device.tensor(shape, { data });
    arrays[name] = array64(shape, data);
  });
  const expected = one.compute(arrays);
  using inference = device.program();
  const result = inference.output(one.record(inference, tensors));
  await inference.compile();
  await inference.run("forward");
  const values = result.read();
  assertNaNs(values, expected.output.data, what);
  if (poisoned === "outputGradient") {
    assert(values.every(Number.isFinite), `${what}: it went forward`);
  }
  if (poisoned === "input") {
    // Images do not meet.
    const [batch] = result.shape;
    const each = values.length / batch!;
    const image = Math.floor(
      (tensors.input!.length >> 1) * batch! /
        tensors.input!.length,
    );
    values.forEach((value, i) =>
      assert(
        Math.floor(i / each) === image || Number.isFinite(value),
        `${what}: it went into another image`,
      )
    );
  }
  if (!one.forwardOnly) {
    using training = device.program({ training: true });
    const output = training.output(one.record(training, tensors));
    const arriving = poison("outputGradient", uniform(output.shape, 9));
    using outputGradient = device.tensor(output.shape, { data: arriving });
    const gradients = training.backward(
      output,
      names.map((name) => tensors[name]!),
      { outputGradient },
    );
    await training.compile();
    await training.run("forward", "backward");
    assertNaNs(output.read(), expected.output.data, `${what}: training`);
    const wanted = expected.backward(Float64Array.from(arriving));
    names.forEach((name, i) =>
      assertNaNs(
        gradients[i]!.read(),
        wanted[name]!,
        `${what}: gradient of ${name}`,
      )
    );
  }
  for (const name of names) tensors[name]![Symbol.dispose]();
}

// The table's cases take turns in slope, window and channels, so that every fourth has all of them.
const chosen = cases.filter(({ name, inputs }, i) =>
  (i % 4 === 0 || name.includes("pool 2") || !name.startsWith("conv2d")) &&
  Object.values(inputs).every((shape) => !shape.includes(33))
);
for (
  const operation of new Set(chosen.map(({ name }) => name.split(" ")[0]!))
) {
  deviceTest(
    `NaN passes ${operation}, forward and backward`,
    async (device) => {
      for (const one of chosen) {
        if (!one.name.startsWith(operation)) continue;
        const places = Object.keys(one.inputs);
        if (!one.forwardOnly) places.push("outputGradient");
        for (const place of places) await checkCase(device, one, place);
      }
    },
  );
}

deviceTest("NaN passes batch_norm2d, forward and backward", async (device) => {
  const shape = [3, 17, 5, 4];
  const names = ["input", "weight", "bias", "runningMean", "runningVariance"];
  const bad = 8; // the channel
  for (const training of [true, false]) {
    for (const slope of [1, 0.2, 0]) {
      for (const poisoned of [...names, "outputGradient"]) {
        const what = `NaN in ${poisoned}, slope ${slope}, ` +
          (training ? "training" : "inference");
        const data = Object.fromEntries(names.map((name, i) => {
          const values = uniform(name === "input" ? shape : [17], i);
          if (name === "runningVariance") {
            values.forEach((x, j) => values[j] = 2 + x);
          }
          if (name === poisoned) {
            values[name === "input" ? bad * 20 + 3 : bad] = NaN;
          }
          return [name, values];
        })) as Record<string, Float32Array>;
        const arriving = uniform(shape, 9);
        if (poisoned === "outputGradient") arriving[bad * 20 + 3] = NaN;
        const tensors = Object.fromEntries(names.map((name) => [
          name,
          device.tensor(name === "input" ? shape : [17], { data: data[name]! }),
        ])) as Record<string, Tensor>;
        const norm = batchNorm2d(
          array64(shape, data.input!),
          array64([17], data.weight!),
          array64([17], data.bias!),
          {
            mean: Float64Array.from(data.runningMean!),
            variance: Float64Array.from(data.runningVariance!),
          },
          { training, epsilon: 1e-5, momentum: 0.1 },
        );
        using program = device.program({ training });
        const { input, weight, bias, runningMean, runningVariance } = tensors;
        const output = program.output(program.batchNorm2d(input!, {
          weight: weight!,
          bias: bias!,
          runningMean: runningMean!,
          runningVariance: runningVariance!,
          negativeSlope: slope,
        }));
        using outputGradient = device.tensor(shape, { data: arriving });
        const targets = [input!, weight!, bias!];
        const gradients = program.backward(output, targets, { outputGradient });
        await program.compile();
        await program.run("forward", "backward");
        const values = output.read();
        assertNaNs(values, norm.output.data, what);
        // Channels do not meet.
        values.forEach((value, i) =>
          assert(
            Math.floor(i / 20) % 17 === bad || Number.isFinite(value),
            `${what}: it went into another channel`,
          )
        );
        const wanted = norm.backward(Float64Array.from(arriving));
        if (poisoned === "outputGradient" && slope === 0) {
          // Whether it passes ReLU depends on what is there.
          continue;
        }
        assertNaNs(gradients[0]!.read(), wanted.input, `${what}: input`);
        assertNaNs(gradients[1]!.read(), wanted.weight, `${what}: weight`);
        assertNaNs(gradients[2]!.read(), wanted.bias, `${what}: bias`);
        if (training && (poisoned === "input")) {
          assert(Number.isNaN(runningMean!.read()[bad]), what);
          assert(Number.isNaN(runningVariance!.read()[bad]), what);
        }
        for (const tensor of Object.values(tensors)) tensor[Symbol.dispose]();
      }
    }
  }
});

deviceTest("ReLU of infinity is infinity above and 0 below", async (device) => {
  using input = device.tensor([1, 1, 1, 5], {
    data: Float32Array.of(-Infinity, -1, NaN, 1, Infinity),
  });
  for (
    const [slope, expected] of [
      [0, [0, 0, NaN, 1, Infinity]],
      [0.5, [-Infinity, -0.5, NaN, 1, Infinity]],
      [1, [-Infinity, -1, NaN, 1, Infinity]],
    ] as const
  ) {
    using program = device.program();
    const output = program.output(program.leakyRelu(input, slope));
    await program.compile();
    await program.run("forward");
    assertEquals([...output.read()].map((x) => x + 0), [...expected]);
  }
});

deviceTest(
  "the loss of what is not a number is none, and counts as such",
  async (device) => {
    for (
      const [row, label, smoothing, loss] of [
        [[NaN, 1, 2], 0, 0, NaN],
        [[1, NaN, 2], 0, 0, NaN],
        [[1, 2, NaN], 1, 0.1, NaN],
        [[Infinity, 1, 2], 0, 0, NaN],
        [[-Infinity, 0, 0], 0, 0, Infinity],
        [[-Infinity, 0, 0], 1, 0, Math.log(2)],
        [[-Infinity, 0, 0], 1, 0.1, Infinity],
      ] as const
    ) {
      const what = `${row}, label ${label}, smoothing ${smoothing}`;
      using logits = device.tensor([1, 3], { data: Float32Array.from(row) });
      using labels = device.tensor([1], { data: Int32Array.of(label) });
      using metrics = device.tensor([8]);
      using program = device.program();
      const made = program.crossEntropy(logits, labels, {
        labelSmoothing: smoothing,
        metrics,
      });
      const [gradient] = program.backward(made, [logits]);
      await program.compile();
      await program.run("forward", "backward");
      const [value] = made.read();
      if (Number.isFinite(loss)) {
        assert(Math.abs(value! - loss) < 1e-6, `${what}: ${value}`);
      } else {
        assertEquals(value, loss, what);
      }
      const [, , correct, , largest, bad] = metrics.read();
      assertEquals(bad, Number.isFinite(loss) ? 0 : 1, what);
      assertEquals(largest, value, what);
      if (Number.isNaN(loss)) {
        assertEquals(correct, 0, `${what}: nothing is predicted`);
        assert(gradient!.read().every(Number.isNaN), what);
      }
    }
  },
);

if (!isChild) {
  Deno.test("NaN passes every instruction set and convolution of the CPU", async (t) => {
    for (
      const [set, isa] of [
        ["avx512", "AVX512_CORE"],
        ["avx2", "AVX2"],
        ["generic", "SSE41"],
      ] as const
    ) {
      for (
        const convolution of ["direct", "winograd", "blocked", "depthwise"]
      ) {
        await t.step(`${set}, ${convolution}`, async () => {
          const { code, stdout, stderr } = await new Deno.Command(
            Deno.execPath(),
            {
              args: [
                "test",
                "--no-check",
                "-A",
                "--filter",
                "cpu: ",
                new URL(import.meta.url).pathname,
              ],
              env: {
                GAPCAM_LIBRARY_FOLDER: libraryFolder(),
                GAPCAM_TEST_NAN: "child",
                GAPCAM_INSTRUCTION_SET: set,
                GAPCAM_CONVOLUTION: convolution,
                DNNL_MAX_CPU_ISA: isa,
                NO_COLOR: "1",
              },
            },
          ).output();
          const text = new TextDecoder();
          assertEquals(code, 0, text.decode(stdout) + text.decode(stderr));
        });
      }
    }
  });
}
