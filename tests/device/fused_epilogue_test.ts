/**
 * What a convolution or a batch normalisation makes at once equals what it
 * makes step by step: a sum and an activation behind it, in inference and in
 * training.
 *
 * @module
 */

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { Activation } from "../../src/device/activation.ts";
import type { Device } from "../../src/device/device.ts";
import { openDevice } from "../../src/device/open_device.ts";
import { PRECISIONS } from "../../src/device/device_options.ts";
import { backendTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";

/** What stands behind a convolution. */
interface Block {
  training: boolean;
  sum: "none" | "input" | "convolution";
  activation: Activation | null;
  /** Channels that do not fill their last 16 bytes, and groups of them. */
  channels?: number;
  groups?: number;
}

const ACTIVATIONS: (Activation | null)[] = [
  null,
  { kind: "leakyRelu", negativeSlope: 0 },
  { kind: "leakyRelu", negativeSlope: 0.2 },
  { kind: "clip", lower: 0, upper: 1 },
  { kind: "clip", lower: -1, upper: 1 },
  { kind: "silu" },
  { kind: "gelu" },
  { kind: "sigmoid" },
  { kind: "hardSwish" },
];

interface Made {
  values: Float32Array;
  gradients: Float32Array[];
  operations: string[];
}

async function run(
  device: Device,
  block: Block,
  { apart }: { apart: boolean },
): Promise<Made> {
  const { training, channels = 13, groups = 1 } = block;
  const tensor = (shape: readonly number[], seed: number) =>
    device.tensor(shape, { data: uniform(shape, seed) });
  using program = device.program({ training });
  const kept = <T extends Parameters<typeof program.output>[0]>(
    value: T,
  ): T => {
    if (apart) program.output(value);
    return value;
  };
  let seed = 1;
  const convolve = (
    from: Parameters<typeof program.conv2d>[0],
    side: number,
  ) => {
    const shape = [channels, channels / groups, side, side];
    const weight = tensor(shape, seed++), bias = tensor([channels], seed++);
    const made = program.conv2d(from, weight, {
      ...{ bias, groups, padding: (side - 1) / 2 },
    });
    const norm = {
      weight: tensor([channels], seed++),
      bias: tensor([channels], seed++),
      runningMean: tensor([channels], seed++),
      runningVariance: device.tensor([channels], {
        data: uniform([channels], seed++).map((value) => 1.5 + value),
      }),
    };
    const normal = kept(program.batchNorm2d(kept(made), norm));
    return { made: normal, parameters: [weight, norm.weight, norm.bias] };
  };
  const input = tensor([3, channels, 6, 5], 99);
  const body = convolve(input, 3);
  const parameters = [input, ...body.parameters];
  let made = body.made;
  if (block.sum === "input") made = kept(program.add(input, made));
  if (block.sum === "convolution") {
    const shortcut = convolve(input, 1);
    parameters.push(...shortcut.parameters);
    made = kept(program.add(made, shortcut.made));
  }
  if (block.activation) made = program.activation(made, block.activation);
  program.output(made);
  const outputGradient = tensor(made.shape, 98);
  const gradients = training
    ? program.backward(made, parameters, { outputGradient })
    : [];
  await program.compile();
  // The second run must find nothing of the first.
  for (let i = 0; i < 2; i++) {
    await program.run("forward", ...(training ? ["backward" as const] : []));
  }
  return {
    values: made.read(),
    gradients: gradients.map((one) => one!.read()),
    operations: program.describe().steps.map(({ operation }) => operation),
  };
}

/** Of the second, relative to its norm. */
function difference(one: Float32Array, other: Float32Array): number {
  return Math.hypot(...one.map((value, i) => value - other[i]!)) /
    Math.max(Math.hypot(...other), 1e-3);
}

for (const training of [false, true]) {
  for (const precision of PRECISIONS) {
    backendTest(
      "cuda",
      `sums and activations are part of what was before, ${
        training ? "training" : "inference"
      }, ${precision}`,
      async () => {
        using device = openDevice("cuda", { precision });
        for (const sum of ["none", "input", "convolution"] as const) {
          for (const activation of ACTIVATIONS) {
            const block: Block = { training, sum, activation };
            const whole = await run(device, block, { apart: false });
            const apart = await run(device, block, { apart: true });
            const what = JSON.stringify(block);
            assertLessOrEqual(whole.operations.length, apart.operations.length);
            if (sum !== "none") {
              assert(apart.operations.includes("add"), what);
              // What adds is the convolution's or the normalisation's step, and
              // a convolution's backward for the gradients of what both read.
              assertEquals(whole.operations.includes("add"), false, what);
            }
            // Steps of bf16 round what one step does not.
            const bound = precision === "bf16" ? 2e-2 : 2e-6;
            assertLessOrEqual(
              difference(whole.values, apart.values),
              bound,
              what,
            );
            whole.gradients.forEach((gradient, i) =>
              assertLessOrEqual(
                difference(gradient, apart.gradients[i]!),
                precision === "bf16" ? 0.15 : 1e-5,
                `${what}, gradient ${i}`,
              )
            );
          }
        }
      },
    );
  }
}

backendTest(
  "cuda",
  "sums and activations are part of convolutions that cuDNN does not do",
  async () => {
    for (const precision of ["f32", "bf16"] as const) {
      using device = openDevice("cuda", { precision });
      for (const activation of ACTIVATIONS) {
        const block: Block = {
          ...{ training: false, sum: "input", activation },
          // Groups of 3 channels never meet 16 bytes of them.
          ...{ channels: 15, groups: 5 },
        };
        const whole = await run(device, block, { apart: false });
        const apart = await run(device, block, { apart: true });
        assertEquals(whole.operations.includes("add"), false);
        assertLessOrEqual(
          difference(whole.values, apart.values),
          precision === "bf16" ? 2e-2 : 2e-6,
          JSON.stringify(block),
        );
      }
    }
  },
);

backendTest(
  "cpu",
  "sums and activations equal what they are step by step",
  async () => {
    using device = openDevice("cpu", { threads: 2 });
    for (const training of [false, true]) {
      for (const sum of ["none", "input", "convolution"] as const) {
        for (const activation of ACTIVATIONS) {
          for (const groups of [1, 13]) {
            const block: Block = { training, sum, activation, groups };
            const whole = await run(device, block, { apart: false });
            const apart = await run(device, block, { apart: true });
            const what = JSON.stringify(block);
            assertLessOrEqual(
              difference(whole.values, apart.values),
              2e-6,
              what,
            );
            whole.gradients.forEach((gradient, i) =>
              assertLessOrEqual(
                difference(gradient, apart.gradients[i]!),
                1e-5,
                `${what}, gradient ${i}`,
              )
            );
          }
        }
      }
    }
  },
);
