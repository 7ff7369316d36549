/** Every operation on odd shapes, forward and backward, on every device that opens. */

import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import type { Device } from "../../src/device/device.ts";
import type { Tensor } from "../../src/device/tensor.ts";
import { GapcamError } from "../../src/error.ts";
import { resizeBilinear } from "../../src/image/resize_bilinear.ts";
import { Random } from "../../src/random.ts";
import { deviceTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";
import { type Array64, array64, type Case } from "../operations/_case.ts";
import {
  batchNorm2d,
  type NormCase,
  normCases,
} from "../operations/batch_norm2d.ts";
import { cases } from "../operations/cases.ts";
import { conv2d } from "../operations/conv2d.ts";
import { leakyRelu } from "../operations/leaky_relu.ts";

/** Norm of the difference over the norm of what is expected. */
const BOUND = 2e-5;
/** What lies around a result and must stay. */
const SENTINEL = 12345.678;

function assertClose(
  actual: Float32Array,
  expected: Float64Array,
  what: string,
  bound = BOUND,
): void {
  assertEquals(actual.length, expected.length, what);
  assertGreater(actual.length, 0, what);
  let difference = 0;
  let norm = 0;
  actual.forEach((value, i) => {
    assert(Number.isFinite(value), `${what}: [${i}] is ${value}`);
    difference += (value - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  });
  const error = Math.sqrt(difference / Math.max(norm, 1e-20));
  assert(error <= bound, `${what}: relative error ${error} > ${bound}`);
}

/** Reads into the middle of a larger array and checks that its ends are left alone. */
function readGuarded(tensor: Tensor): Float32Array {
  const whole = new Float32Array(tensor.length + 2).fill(SENTINEL);
  const middle = whole.subarray(1, -1);
  tensor.read(middle);
  assertEquals(whole[0], Math.fround(SENTINEL));
  assertEquals(whole.at(-1), Math.fround(SENTINEL));
  return middle;
}

async function checkCase(device: Device, one: Case): Promise<void> {
  const names = Object.keys(one.inputs);
  const values = names.map((name, i) => {
    const data = uniform(one.inputs[name]!, i + 1);
    return one.ties ? data.map((x) => Math.round(2 * x) / 2) : data;
  });
  const tensors: Record<string, Tensor> = {};
  const arrays: Record<string, Array64> = {};
  names.forEach((name, i) => {
    tensors[name] = device.tensor(one.inputs[name]!, { data: values[i]! });
    arrays[name] = array64(one.inputs[name]!, values[i]!);
  });
  const expected = one.compute(arrays);

  using inference = device.program();
  const result = inference.output(one.record(inference, tensors));
  assertEquals(result.shape, [...expected.output.shape], one.name);
  await inference.compile();
  await inference.run("forward");
  assertClose(readGuarded(result), expected.output.data, one.name);

  using training = device.program({ training: true });
  const output = training.output(one.record(training, tensors));
  if (one.forwardOnly) {
    using outputGradient = device.tensor(output.shape);
    assertThrows(
      () => training.backward(output, [tensors.input!], { outputGradient }),
      GapcamError,
      "has no gradient with respect to its input",
    );
    for (const name of names) tensors[name]![Symbol.dispose]();
    return;
  }
  const dOutput = uniform(output.shape, 9);
  using outputGradient = device.tensor(output.shape, { data: dOutput });
  const gradients = training.backward(
    output,
    names.map((name) => tensors[name]!),
    { outputGradient },
  );
  await training.compile();
  // Twice: a second backward must find what the forward left.
  await training.run("forward", "backward");
  await training.run("backward");
  assertClose(output.read(), expected.output.data, `${one.name}: training`);
  const expectedGradients = expected.backward(Float64Array.from(dOutput));
  names.forEach((name, i) => {
    assertClose(
      readGuarded(gradients[i]!),
      expectedGradients[name]!,
      `${one.name}: gradient of ${name}`,
    );
    tensors[name]![Symbol.dispose]();
  });
}

for (const operation of new Set(cases.map(({ name }) => name.split(" ")[0]!))) {
  deviceTest(
    `${operation} equals plain loops on odd shapes`,
    async (device) => {
      const chosen = cases.filter(({ name }) => name.startsWith(operation));
      assertGreater(chosen.length, 2);
      for (const one of chosen) await checkCase(device, one);
    },
  );
}

async function checkNorm(
  device: Device,
  { name, shape, slope, convolved }: NormCase,
  training: boolean,
): Promise<void> {
  const options = { training, epsilon: 1e-3, momentum: 0.3 };
  const channels = shape[1];
  const input = uniform(shape, 1).map((x) => x + 0.5);
  const groups = Math.max(convolved, 1);
  const windows = { stride: 1, padding: 1, groups };
  const kernelShape = [channels, channels / groups, 3, 3];
  const kernel = uniform(kernelShape, 2);
  const [weight, bias, mean] = [3, 4, 5].map((seed) =>
    uniform([channels], seed)
  ) as [Float32Array, Float32Array, Float32Array];
  const variance = uniform([channels], 6).map((x) => Math.abs(x) + 0.5);

  const running = {
    mean: Float64Array.from(mean),
    variance: Float64Array.from(variance),
  };
  const before = convolved > 0 && conv2d(
    array64(shape, input),
    array64(kernelShape, kernel),
    undefined,
    windows,
  );
  const norm = batchNorm2d(
    before ? before.output : array64(shape, input),
    array64([channels], weight),
    array64([channels], bias),
    running,
    options,
  );
  const active = leakyRelu(norm.output, slope);

  using tensor = device.tensor(shape, { data: input });
  using convolution = device.tensor(kernelShape, { data: kernel });
  const parameters = {
    weight: device.tensor([channels], { data: weight }),
    bias: device.tensor([channels], { data: bias }),
    runningMean: device.tensor([channels], { data: mean }),
    runningVariance: device.tensor([channels], { data: variance }),
  };
  for (const backward of training ? [true] : [true, false]) {
    using program = device.program({ training });
    const output = program.output(program.batchNorm2d(
      before ? program.conv2d(tensor, convolution, windows) : tensor,
      { ...parameters, ...options, negativeSlope: slope },
    ));
    const dOutput = uniform(shape, 7);
    using outputGradient = device.tensor(shape, { data: dOutput });
    const gradients = backward
      ? program.backward(
        output,
        [tensor, parameters.weight, parameters.bias],
        { outputGradient },
      )
      : [];
    await program.compile();
    await program.run("forward", ...backward ? ["backward" as const] : []);
    assertClose(output.read(), active.output.data, name);
    assertClose(parameters.runningMean.read(), running.mean, `${name}: mean`);
    assertClose(
      parameters.runningVariance.read(),
      running.variance,
      `${name}: variance`,
    );
    if (!backward) continue;
    const expected = norm.backward(
      active.backward(Float64Array.from(dOutput)).input,
    );
    const dInput = before
      ? before.backward(expected.input).input
      : expected.input;
    [dInput, expected.weight, expected.bias].forEach((gradient, i) =>
      assertClose(
        gradients[i]!.read(),
        gradient,
        `${name}: gradient ${i}`,
        1e-4,
      )
    );
  }
  for (const one of Object.values(parameters)) one[Symbol.dispose]();
}

for (const training of [true, false]) {
  const kind = training ? "batch" : "running";
  deviceTest(
    `batch_norm2d with ${kind} statistics equals plain loops`,
    async (device) => {
      for (const one of normCases) await checkNorm(device, one, training);
    },
  );
}

deviceTest(
  "batch_norm2d keeps its digits beside an outlier, wherever it lies",
  async (device) => {
    // Two images, a last part of one that is not whole, and channels off the blocks.
    const shape = [2, 17, 23, 13] as const;
    const pixels = 23 * 13;
    const ones = new Float32Array(17).fill(1);
    for (const deviations of [167, 595, -1e4]) {
      for (const place of [0, 5, pixels - 1]) {
        const data = uniform(shape, 1).map((x) => x * Math.sqrt(3) + 0.5);
        for (let c = 0; c < 17; c++) data[c * pixels + place] = deviations;
        const outlier = (i: number) => i < 17 * pixels && i % pixels === place;
        const running = {
          mean: new Float64Array(17),
          variance: new Float64Array(17),
        };
        const options = { training: true, epsilon: 1e-5, momentum: 1 };
        const { output: expected } = batchNorm2d(
          array64(shape, data),
          array64([17], ones),
          array64([17]),
          running,
          options,
        );
        using input = device.tensor(shape, { data });
        using weight = device.tensor([17], { data: ones });
        using bias = device.tensor([17]);
        using runningMean = device.tensor([17]);
        using runningVariance = device.tensor([17]);
        using program = device.program({ training: true });
        const output = program.output(program.batchNorm2d(input, {
          weight,
          bias,
          runningMean,
          runningVariance,
          ...options,
        }));
        await program.compile();
        await program.run("forward");
        const what = `${deviations} deviations at pixel ${place}`;
        // The outlier itself would hide the others.
        const rest = <T extends Float32Array | Float64Array>(values: T) =>
          values.filter((_, i) => !outlier(i)) as T;
        assertClose(rest(output.read()), rest(expected.data), what, 1e-6);
        assertClose(
          runningVariance.read(),
          running.variance,
          `${what}: variance`,
          1e-6,
        );
      }
    }
  },
);

deviceTest(
  "gradients of a whole network equal finite differences",
  async (device) => {
    const shapes = {
      weight1: [8, 3, 3, 3],
      bias1: [8],
      weight2: [17, 8, 3, 3],
      bias2: [17],
      head: [5, 17],
      headBias: [5],
    };
    const values = Object.values(shapes).map((shape, i) =>
      uniform(shape, i + 1).map((x) => x / Math.sqrt(shape[1] ?? 1))
    );
    const [w1, b1, w2, b2, head, headBias] = Object.values(shapes).map((
      shape,
      i,
    ) => device.tensor(shape, { data: values[i]! })) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const parameters = [w1, b1, w2, b2, head, headBias];
    using input = device.tensor([4, 3, 12, 12], {
      data: uniform([4, 3, 12, 12], 10),
    });
    using labels = device.tensor([4], { data: Int32Array.of(0, 1, 4, 2) });
    using program = device.program({ training: true });
    const first = program.maxPool2d(
      program.conv2d(input, w1, { bias: b1, padding: 1, negativeSlope: 0.2 }),
      2,
    );
    const second = program.conv2d(first, w2, {
      bias: b2,
      padding: 1,
      negativeSlope: 0.2,
    });
    const logits = program.linear(program.globalAveragePool(second), head, {
      bias: headBias,
    });
    const loss = program.crossEntropy(logits, labels);
    const gradients = program.backward(loss, parameters);
    await program.compile();
    await program.run("forward", "backward");
    const direction = values.map((value, i) => uniform([value.length], 20 + i));
    let expected = 0;
    gradients.forEach((gradient, i) => {
      gradient.read().forEach((g, j) => expected += g * direction[i]![j]!);
    });
    const step = 2e-3;
    const lossAt = async (factor: number) => {
      parameters.forEach((parameter, i) =>
        parameter.write(
          values[i]!.map((x, j) => x + factor * step * direction[i]![j]!),
        )
      );
      await program.run("forward");
      return loss.read()[0]!;
    };
    const measured = (await lossAt(1) - await lossAt(-1)) / (2 * step);
    assertGreater(Math.abs(expected), 0.01);
    assert(
      Math.abs(measured - expected) <= 0.01 * Math.abs(expected),
      `finite differences give ${measured}, backward ${expected}`,
    );
  },
);

deviceTest(
  "prepare_images resizes as resizeBilinear() does and normalises",
  async (device) => {
    const sizes = [
      [9, 7, 9, 7],
      [96, 96, 224, 224],
      [5, 7, 3, 11],
      [33, 31, 12, 31],
      [20, 300, 20, 64],
      [3, 300, 5, 300],
      [1, 1, 4, 3],
    ] as const;
    const mean = [0.5, 0.25, 0.4];
    const deviation = [0.5, 0.2, 0.3];
    for (const [height, width, rows, columns] of sizes) {
      for (const channels of [1, 3] as const) {
        const what = `${height}x${width}x${channels} to ${rows}x${columns}`;
        const random = new Random(height);
        const length = height * width * channels;
        const images = [0, 1].map(() =>
          Uint8Array.from({ length }, () => random.integer(256))
        );
        using input = device.tensor([2, height, width, channels], {
          data: Uint8Array.from(images.flatMap((data) => [...data])),
        });
        using program = device.program();
        const output = program.output(program.prepareImages(input, {
          height: rows,
          width: columns,
          mean: mean.slice(0, channels),
          deviation: deviation.slice(0, channels),
        }));
        await program.compile();
        await program.run("forward");
        const actual = readGuarded(output);
        images.forEach((data, n) => {
          const expected = resizeBilinear(
            { height, width, channels, data },
            rows,
            columns,
          ).data;
          expected.forEach((level, i) => {
            const c = i % channels;
            const at = (n * channels + c) * rows * columns +
              Math.floor(i / channels);
            const value = (level / 255 - mean[c]!) / deviation[c]!;
            // Far less than a level of 255.
            const difference = Math.abs(actual[at]! - value);
            assert(
              difference <= 1e-5,
              `${what}: [${i}] is off by ${difference}`,
            );
          });
        });
      }
    }
  },
);

deviceTest(
  "taps that meet nothing but padding have a gradient of exactly 0",
  async (device) => {
    for (
      const [height, width, zeros] of [
        [1, 8, [0, 1, 2, 6, 7, 8]],
        [8, 1, [0, 2, 3, 5, 6, 8]],
        [1, 1, [0, 1, 2, 3, 5, 6, 7, 8]],
        [2, 2, []],
      ] as const
    ) {
      const shape = [4, 16, height, width];
      using input = device.tensor(shape, { data: uniform(shape, 1) });
      using weight = device.tensor([16, 16, 3, 3]);
      using program = device.program({ training: true });
      const output = program.output(
        program.conv2d(input, weight, { padding: 1 }),
      );
      using outputGradient = device.tensor(shape, { data: uniform(shape, 2) });
      const [gradient] = program.backward(output, [weight], { outputGradient });
      await program.compile();
      await program.run("forward", "backward");
      gradient!.read().forEach((value, i) =>
        assertEquals(
          value === 0,
          (zeros as readonly number[]).includes(i % 9),
          `${height} x ${width}, tap ${i % 9}: ${value}`,
        )
      );
    }
  },
);

deviceTest(
  "an inference program follows parameters that change after compiling",
  async (device) => {
    const shape = [2, 5, 6, 6];
    const kernel = [7, 5, 3, 3];
    using input = device.tensor(shape, { data: uniform(shape, 1) });
    using weight = device.tensor(kernel, { data: uniform(kernel, 2) });
    using program = device.program();
    const output = program.output(
      program.conv2d(input, weight, { padding: 1 }),
    );
    await program.compile();
    for (const seed of [2, 3, 4]) {
      weight.write(uniform(kernel, seed));
      await program.run("forward");
      const expected = conv2d(
        array64(shape, uniform(shape, 1)),
        array64(kernel, uniform(kernel, seed)),
        undefined,
        { stride: 1, padding: 1 },
      );
      assertClose(output.read(), expected.output.data, `weights ${seed}`);
    }
  },
);

deviceTest("the same run gives the same bytes", async (device) => {
  using input = device.tensor([3, 16, 14, 14], {
    data: uniform([3, 16, 14, 14], 1),
  });
  using weight = device.tensor([32, 16, 3, 3], {
    data: uniform([32, 16, 3, 3], 2),
  });
  const results: Float32Array[][] = [];
  for (let i = 0; i < 2; i++) {
    using program = device.program({ training: true });
    const output = program.output(
      program.conv2d(input, weight, { padding: 1, negativeSlope: 0.2 }),
    );
    using outputGradient = device.tensor(output.shape, {
      data: uniform(output.shape, 3),
    });
    const gradients = program.backward(output, [input, weight], {
      outputGradient,
    });
    await program.compile();
    for (let j = 0; j < 2; j++) {
      await program.run("forward", "backward");
      results.push([output, ...gradients].map((tensor) => tensor.read()));
    }
  }
  for (const other of results.slice(1)) assertEquals(other, results[0]);
});
