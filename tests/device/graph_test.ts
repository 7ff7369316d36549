/**
 * Graphs that are no chains: values read several times, sums, gradients of maps
 * in the middle. Held against PyTorch, see scripts/fixtures/device_graphs.py.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertThrows,
} from "@std/assert";
import type { Device } from "../../src/device/device.ts";
import { openDevice } from "../../src/device/open_device.ts";
import type { Program } from "../../src/device/program.ts";
import type { Tensor } from "../../src/device/tensor.ts";
import { GapcamError } from "../../src/error.ts";
import { parseSafetensors } from "../../src/weights/read_safetensors.ts";
import { toStateDict } from "../../src/weights/stored_tensor.ts";
import { deviceTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";

const fixture = toStateDict(
  parseSafetensors(
    await Deno.readFile(
      new URL("../fixtures/device/graphs.safetensors", import.meta.url),
    ),
  ).tensors,
);

function expected(name: string): Float32Array {
  const tensor = fixture.get(name);
  assert(tensor, `the fixture has no ${name}`);
  return tensor.data;
}

function assertClose(
  actual: Float32Array,
  wanted: Float32Array,
  what: string,
  bound = 2e-5,
): void {
  assertEquals(actual.length, wanted.length, what);
  let difference = 0;
  let norm = 0;
  actual.forEach((value, i) => {
    assert(Number.isFinite(value), `${what}: [${i}] is ${value}`);
    difference += (value - wanted[i]!) ** 2;
    norm += wanted[i]! ** 2;
  });
  const error = Math.sqrt(difference / Math.max(norm, 1e-20));
  assertLessOrEqual(error, bound, `${what}: relative error`);
}

interface Recording {
  program: Program;
  /** A tensor of the device with what the fixture has under a name. */
  input: (name: string) => Tensor;
  /** Batch normalisation with the tensors `NAME_weight`, ... */
  norm: (input: Tensor, name: string, negativeSlope?: number) => Tensor;
}

type Record = (
  recording: Recording,
) => { output: Tensor; maps?: { [name: string]: Tensor } };

/**
 * Records a graph of the fixture and compares its output, and the gradients of
 * all that goes in and of the maps in the middle that `record` returns.
 */
async function checkGraph(
  device: Device,
  name: string,
  record: Record,
): Promise<void> {
  await checkWithin(device, name, { record, output: 2e-5, gradient: 1e-4 });
  if (device.describe().backend !== "cuda") return;
  // Bounds that rounding keeps to, and a gradient without its slope does not.
  using narrow = openDevice("cuda", { precision: "bf16" });
  await checkWithin(narrow, name, { record, output: 0.02, gradient: 0.15 });
}

async function checkWithin(
  device: Device,
  name: string,
  { record, ...bounds }: { record: Record; output: number; gradient: number },
): Promise<void> {
  // Maps in the middle: first as targets, which keeps them from being fused.
  for (const middle of [true, false]) {
    const inputs = new Map<string, Tensor>();
    const input = (own: string) => {
      let tensor = inputs.get(own);
      if (!tensor) {
        const { shape, data } = fixture.get(`${name}/${own}`)!;
        tensor = device.tensor(shape, { data });
        inputs.set(own, tensor);
      }
      return tensor;
    };
    using program = device.program({ training: true });
    const norm: Recording["norm"] = (map, own, negativeSlope = 1) =>
      program.batchNorm2d(map, {
        weight: input(`${own}_weight`),
        bias: input(`${own}_bias`),
        runningMean: input(`${own}_mean`),
        runningVariance: input(`${own}_variance`),
        epsilon: 1e-3,
        momentum: 0.3,
        negativeSlope,
      });
    const { output, maps = {} } = record({ program, input, norm });
    program.output(output);
    const isStatistic = (own: string) => /_(mean|variance)$/.test(own);
    const targets = [
      ...[...inputs].filter(([own]) => !isStatistic(own)),
      ...middle ? Object.entries(maps) : [],
    ];
    using outputGradient = device.tensor(output.shape, {
      data: expected(`${name}/output.gradient`),
    });
    const gradients = program.backward(
      output,
      targets.map(([, tensor]) => tensor),
      { outputGradient },
    );
    await program.compile();
    await program.run("forward", "backward");
    assertClose(
      output.read(),
      expected(`${name}/output`),
      `${name}: output`,
      bounds.output,
    );
    for (const own of inputs.keys()) {
      if (!isStatistic(own)) continue;
      assertClose(
        input(own).read(),
        expected(`${name}/${own}.after`),
        own,
        bounds.output,
      );
    }
    // Again, on what the same forward left.
    await program.run("backward");
    targets.forEach(([own], i) =>
      assertClose(
        gradients[i]!.read(),
        expected(`${name}/${own}.gradient`),
        `${name}: gradient of ${own}${middle ? "" : " alone"}`,
        bounds.gradient,
      )
    );
    for (const tensor of inputs.values()) tensor[Symbol.dispose]();
  }
}

deviceTest(
  "the gradient of a map that three operations read is the sum of theirs",
  (device) =>
    checkGraph(device, "three_uses", ({ program, input }) => {
      const map = program.conv2d(input("x"), input("weight"), {
        bias: input("bias"),
        padding: 1,
        negativeSlope: 0.2,
      });
      const pooled = program.maxPool2d(map, 3, { stride: 1, padding: 1 });
      const output = program.add(
        program.add(map, pooled),
        program.leakyRelu(map, 0.5),
      );
      return { output, maps: { map } };
    }),
);

deviceTest(
  "the gradient of a weight that two convolutions share is the sum of theirs",
  (device) =>
    checkGraph(device, "shared_weight", ({ program, input }) => {
      const options = { padding: 1 };
      const map = program.conv2d(
        program.add(input("x"), input("x")),
        input("weight"),
        options,
      );
      const output = program.conv2d(
        program.leakyRelu(map, 0.3),
        input("weight"),
        options,
      );
      return { output, maps: { map } };
    }),
);

deviceTest(
  "a residual block whose shortcut is the identity equals PyTorch's",
  (device) =>
    checkGraph(device, "residual_identity", ({ program, input, norm }) => {
      const options = { padding: 1 };
      const first = norm(
        program.conv2d(input("x"), input("w1"), options),
        "n1",
        0.1,
      );
      const second = norm(program.conv2d(first, input("w2"), options), "n2");
      const output = program.leakyRelu(program.add(second, input("x")), 0.1);
      return { output, maps: { first, second } };
    }),
);

deviceTest(
  "a residual block with a strided convolution as shortcut equals PyTorch's",
  (device) =>
    checkGraph(device, "residual_convolution", ({ program, input, norm }) => {
      const first = norm(
        program.conv2d(input("x"), input("w1"), { stride: 2, padding: 1 }),
        "n1",
        0.2,
      );
      const second = norm(
        program.conv2d(first, input("w2"), { padding: 1 }),
        "n2",
      );
      const shortcut = norm(
        program.conv2d(input("x"), input("w3"), { stride: 2 }),
        "n3",
      );
      const output = program.leakyRelu(program.add(second, shortcut), 0.2);
      return { output, maps: { first, shortcut } };
    }),
);

deviceTest(
  "the gradient of a logit with respect to maps in the middle equals PyTorch's",
  (device) =>
    checkGraph(device, "middle", ({ program, input }) => {
      const options = { padding: 1, negativeSlope: 0.2 };
      const first = program.conv2d(input("x"), input("w1"), {
        bias: input("b1"),
        ...options,
      });
      const pooled = program.maxPool2d(first, 2);
      const second = program.conv2d(pooled, input("w2"), {
        bias: input("b2"),
        ...options,
      });
      const output = program.linear(
        program.globalAveragePool(second),
        input("head"),
        { bias: input("head_bias") },
      );
      return { output, maps: { first, pooled, second } };
    }),
);

deviceTest(
  "maps of 24, 13 and 3 channels side by side, into a convolution, equal PyTorch's",
  (device) =>
    checkGraph(device, "concatenation", ({ program, input }) => {
      const left = program.conv2d(input("x"), input("w1"), {
        padding: 1,
        negativeSlope: 0.2,
      });
      const right = program.conv2d(input("x"), input("w2"));
      const both = program.concatenate([left, right, input("x")]);
      const output = program.conv2d(both, input("w3"), { padding: 1 });
      return { output, maps: { left, both } };
    }),
);

deviceTest(
  "pools of every padding and ceil mode equal PyTorch's",
  async (device) => {
    // WINDOWS of the script.
    const windows = [
      [2, 2, 0, false, true],
      [3, 2, 1, false, false],
      [3, 2, 0, true, true],
      [4, 3, 2, true, true],
      [3, 3, 1, true, false],
      [2, 2, 0, true, true],
    ] as const;
    for (const [i, window] of windows.entries()) {
      const [kernel, stride, padding, ceilMode, countIncludePad] = window;
      const options = { stride, padding, ceilMode };
      await checkGraph(device, `average_pool${i}`, ({ program, input }) => ({
        output: program.averagePool2d(input("x"), kernel, {
          ...options,
          countIncludePad,
        }),
      }));
      await checkGraph(device, `max_pool${i}`, ({ program, input }) => ({
        output: program.maxPool2d(input("x"), kernel, options),
      }));
    }
  },
);

deviceTest(
  "squeeze and excitation with a hard sigmoid, beside a shortcut, equals PyTorch's",
  (device) =>
    checkGraph(device, "squeeze", ({ program, input }) => {
      const silu = { kind: "silu" } as const;
      const map = program.activation(
        program.conv2d(input("x"), input("weight"), { padding: 1 }),
        silu,
      );
      const pooled = program.globalAveragePool(map, { keepDimensions: true });
      const reduced = program.activation(
        program.conv2d(pooled, input("reduce"), { bias: input("reduce_bias") }),
        silu,
      );
      const gate = program.activation(
        program.conv2d(reduced, input("expand"), {
          bias: input("expand_bias"),
        }),
        { kind: "hardSigmoid" },
      );
      const output = program.activation(
        program.add(program.multiply(map, gate), input("x")),
        { kind: "hardSwish" },
      );
      return { output, maps: { map, gate } };
    }),
);

deviceTest(
  "halves of a map, shuffled, squared and flattened, equal PyTorch's",
  (device) =>
    checkGraph(device, "shuffle", ({ program, input }) => {
      const left = program.sliceChannels(input("x"), 0, 11);
      const right = program.activation(
        program.conv2d(
          program.sliceChannels(input("x"), 11, 22),
          input("weight"),
          { padding: 1 },
        ),
        { kind: "gelu" },
      );
      const mixed = program.channelShuffle(
        program.concatenate([left, right]),
        2,
      );
      const flat = program.flatten(
        program.activation(program.multiply(mixed, mixed), { kind: "sigmoid" }),
      );
      const output = program.linear(flat, input("head"), {
        bias: input("head_bias"),
      });
      return { output, maps: { mixed } };
    }),
);

deviceTest(
  "grouped, depthwise, dilated and unevenly padded convolutions equal PyTorch's",
  (device) =>
    checkGraph(device, "convolutions", ({ program, input }) => {
      const first = program.conv2d(input("x"), input("expand"), {
        negativeSlope: 0.1,
      });
      const second = program.conv2d(first, input("depthwise"), {
        bias: input("bias"),
        stride: 2,
        padding: [0, 0, 1, 1],
        groups: 18,
        negativeSlope: 0.1,
      });
      const third = program.conv2d(second, input("multiply"), {
        padding: 1,
        groups: 18,
      });
      const fourth = program.conv2d(third, input("grouped"), {
        padding: 2,
        dilation: 2,
        groups: 4,
        negativeSlope: 0.2,
      });
      const output = program.conv2d(fourth, input("wide"), {
        padding: [1, 2, 3, 0],
      });
      return { output, maps: { first, second, third, fourth } };
    }),
);

deviceTest("a gradient can be asked of the output itself", async (device) => {
  using input = device.tensor([1, 2, 3, 3], { data: uniform([1, 2, 3, 3], 1) });
  using program = device.program();
  const output = program.leakyRelu(input, 0.5);
  using outputGradient = device.tensor(output.shape, {
    data: uniform(output.shape, 2),
  });
  const [own, below] = program.backward(output, [output, input], {
    outputGradient,
  });
  await program.compile();
  await program.run("forward", "backward");
  const given = outputGradient.read();
  assertEquals(own!.read(), given);
  const x = input.read();
  assertEquals(below!.read(), given.map((d, i) => x[i]! > 0 ? d : d / 2));
});

deviceTest(
  "what is recorded after a backward pass runs before it",
  async (device) => {
    const shape = [2, 3, 4, 4];
    using map = device.tensor(shape, { data: uniform(shape, 1) });
    using outputGradient = device.tensor(shape, { data: uniform(shape, 2) });
    using program = device.program();
    const output = program.leakyRelu(map, 0.5);
    const [gradient] = program.backward(output, [map], { outputGradient });
    const later = program.output(program.add(output, map));
    await program.compile();
    await program.run("forward");
    const x = map.read();
    assertEquals(later.read(), x.map((x) => x > 0 ? x + x : x / 2 + x));
    await program.run("backward");
    const d = outputGradient.read();
    assertEquals(gradient!.read(), d.map((d, i) => x[i]! > 0 ? d : d / 2));
  },
);

deviceTest(
  "an activation is a step of its own only where it cannot be part of another",
  async (device) => {
    const parameters = {
      weight: device.tensor([8]),
      bias: device.tensor([8]),
      runningMean: device.tensor([8]),
      runningVariance: device.tensor([8]),
    };
    using input = device.tensor([2, 8, 12, 12]);
    using weight = device.tensor([8, 8, 3, 3]);
    const record = (program: Program) => {
      const convolved = () => program.conv2d(input, weight, { padding: 1 });
      const chain = program.maxPool2d(program.leakyRelu(convolved(), 0.2), 2);
      const normal = program.leakyRelu(
        program.batchNorm2d(convolved(), parameters),
        0.2,
      );
      const sum = program.leakyRelu(program.add(convolved(), input), 0.2);
      return [chain, normal, sum].map((map) => program.globalAveragePool(map))
        .reduce((a, b) => program.add(a, b));
    };
    const steps = async (training: boolean) => {
      using program = device.program({ training });
      const output = program.output(record(program));
      using outputGradient = device.tensor(output.shape);
      if (training) program.backward(output, [weight], { outputGradient });
      await program.compile();
      return program.describe().steps.map(({ operation }) => operation);
    };
    const count = (all: readonly string[], one: string) =>
      all.filter((operation) => operation === one).length;
    const inference = await steps(false);
    // The convolutions take in the sum and the batch normalisation.
    assertEquals(count(inference, "leaky_relu"), 0);
    assertEquals(count(inference, "batch_norm2d"), 0);
    const training = await steps(true);
    assertEquals(count(training, "leaky_relu"), 1);
    assertEquals(count(training, "batch_norm2d"), 1);
    if (device.describe().backend === "cuda") {
      // Who makes the gradient of an activated map undoes the activation.
      assertEquals(count(training, "leaky_relu backward"), 0);
    }
  },
);

deviceTest(
  "an activation's gradient does not ask the pool of a sum for its sign",
  async (device) => {
    const shape = [2, 5, 4, 6];
    using map = device.tensor(shape, { data: uniform(shape, 1) });
    // Turns many signs, and has no gradient: that of the sum goes to the map alone.
    using constant = device.tensor(shape, {
      data: uniform(shape, 2).map((x) => -3 * x),
    });
    for (const convolved of [false, true]) {
      const unit = new Float32Array(25);
      for (let i = 0; i < 5; i++) unit[i * 6] = 1;
      using weight = device.tensor([5, 5, 1, 1], { data: unit });
      using program = device.program();
      const active = convolved
        ? program.conv2d(map, weight, { negativeSlope: 0.25 })
        : program.leakyRelu(map, 0.25);
      const sum = program.output(program.add(active, constant));
      const pooled = program.output(program.maxPool2d(sum, 2));
      using outputGradient = device.tensor(pooled.shape, {
        data: uniform(pooled.shape, 3),
      });
      const [gradient] = program.backward(pooled, [map], { outputGradient });
      await program.compile();
      await program.run("forward", "backward");
      const added = sum.read();
      const maxima = pooled.read();
      const d = outputGradient.read();
      const expected = map.read().map((value, i) => {
        const o = Math.floor(i / 24) * 6 + (i % 24 >= 12 ? 3 : 0) +
          (i % 6 >> 1);
        if (added[i] !== maxima[o]) return 0;
        return value > 0 ? d[o]! : d[o]! * 0.25;
      });
      assertClose(gradient!.read(), expected, `convolved: ${convolved}`);
    }
  },
);

deviceTest(
  "a map of one element may be differentiated as a loss is",
  async (device) => {
    const narrow = device.describe().backend === "cuda"
      ? openDevice("cuda", { precision: "bf16" })
      : undefined;
    for (const own of [device, ...narrow ? [narrow] : []]) {
      using map = own.tensor([1, 1, 1, 1], { data: Float32Array.of(-2) });
      using program = own.program();
      const output = program.leakyRelu(program.leakyRelu(map, 0.5), 0.5);
      const [gradient] = program.backward(output, [map]);
      await program.compile();
      await program.run("forward", "backward");
      assertEquals([...gradient!.read()], [0.25]);
    }
    narrow?.[Symbol.dispose]();
  },
);

deviceTest("an input that a program trains may be a map", async (device) => {
  const shape = [2, 3, 4, 5];
  using map = device.tensor(shape, { data: uniform(shape, 1) });
  using outputGradient = device.tensor(shape, { data: uniform(shape, 2) });
  using moment = device.tensor(shape);
  using settings = device.tensor([8]);
  using program = device.program({ training: true });
  const output = program.add(program.leakyRelu(map, 0.5), map);
  const gradients = program.backward(output, [map], { outputGradient });
  program.sgd({
    parameters: [map],
    gradients,
    momentumBuffers: [moment],
    settings,
  });
  await program.compile();
  settings.write(Float32Array.of(0.5, 0, 1, 0, 0, 1, 0, 0));
  const before = map.read();
  await program.run("forward", "backward", "update");
  const d = outputGradient.read();
  const step = before.map((x, i) => x - 0.5 * d[i]! * (x > 0 ? 2 : 1.5));
  assertClose(map.read(), step, "the map after a step", 1e-6);
});

deviceTest(
  "operations on gradients run behind the backward pass, and quotients by 0 are 0",
  async (device) => {
    using input = device.tensor([2, 3, 2, 2]);
    using gate = device.tensor([2, 3, 1, 1]);
    using weight = device.tensor([1, 3, 1, 1], {
      data: new Float32Array(3).fill(1),
    });
    const values = Float32Array.from({ length: 24 }, (_, i) => i % 5 - 1.5);
    input.write(values);
    gate.write(Float32Array.of(1, 2, 0, -1, 4, 0.5));
    using program = device.program();
    const output = program.flatten(
      program.globalAveragePool(program.multiply(input, gate), {
        keepDimensions: true,
      }),
    );
    using outputGradient = device.tensor(output.shape);
    const [dInput, dGate] = program.backward(output, [input, gate], {
      outputGradient,
    });
    const positive = program.leakyRelu(dInput!, 0);
    const sum = program.output(
      program.conv2d(program.multiply(positive, input), weight),
    );
    const ratio = program.output(program.divide(dGate!, gate));
    await program.compile();
    await program.run("forward");
    const seeds = Float32Array.of(4, -4, 4, 4, 4, 8);
    outputGradient.write(seeds);
    await program.run("backward");
    const gates = gate.read();
    const sums = new Float32Array(8);
    values.forEach((x, i) => {
      const k = Math.floor(i / 4);
      sums[Math.floor(i / 12) * 4 + i % 4]! +=
        Math.max(0, seeds[k]! * gates[k]! / 4) * x;
    });
    assertClose(sum.read(), sums, "the positive gradients' products", 1e-5);
    const ratios = gates.map((g, k) => {
      const own = values.subarray(4 * k, 4 * k + 4).reduce((a, b) => a + b, 0);
      return g === 0 ? 0 : seeds[k]! * own / 4 / g;
    });
    assertClose(ratio.read(), ratios, "the quotients", 1e-5);
    assertThrows(
      () => {
        using other = device.program();
        other.backward(other.divide(gate, gate), [gate], {
          outputGradient: gate,
        });
      },
      GapcamError,
      "divide has no gradient",
    );
  },
);

deviceTest("operands that do not fit are refused", (device) => {
  using input = device.tensor([2, 3]);
  using other = device.tensor([2, 4]);
  using program = device.program();
  for (
    const [use, message] of [
      [() => program.add(input, other), "must have the shape [2, 3]"],
      [
        () => program.activation(input, { kind: "clip", lower: 2, upper: 1 }),
        "a lower bound below the upper",
      ],
    ] as [() => unknown, string][]
  ) {
    const error = assertThrows(use, GapcamError, message);
    assertGreater(error.message.length, 20);
  }
  const map = device.tensor([1, 4, 3, 3]);
  assertThrows(
    () => program.multiply(map, device.tensor([1, 3, 1, 1])),
    GapcamError,
    "must have the shape [1, 4, 3, 3] or [1, 4, 1, 1], found [1, 3, 1, 1]",
  );
  assertThrows(
    () => program.concatenate([]),
    GapcamError,
    "at least one input",
  );
  assertThrows(
    () => program.concatenate([map, device.tensor([1, 4, 3, 2])]),
    GapcamError,
    "must agree in all but channels",
  );
  for (const [start, end] of [[0, 5], [2, 2], [3, 1]] as const) {
    assertThrows(
      () => program.sliceChannels(map, start, end),
      GapcamError,
      `at most at the input's 4 channels, found ${start} to ${end}`,
    );
  }
  for (const groups of [0, 3]) {
    assertThrows(
      () => program.channelShuffle(map, groups),
      GapcamError,
      `its groups must divide the input's 4 channels, found ${groups}`,
    );
  }
  assertThrows(
    () => program.flatten(input),
    GapcamError,
    "must have 4 dimensions, found [2, 3]",
  );
});
