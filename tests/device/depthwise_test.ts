/**
 * Convolutions of each channel by itself, by our own kernels: where cuDNN is
 * refused them (CUDASIM_REFUSE_CHANNELS=1) there is no other.
 *
 * @module
 */

import { assertEquals, assertLessOrEqual } from "@std/assert";
import type { Device } from "../../src/device/device.ts";
import { openDevice } from "../../src/device/open_device.ts";
import { backendTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";

interface Layer {
  channels: number;
  size: [number, number];
  kernel: number;
  stride?: number;
  dilation?: number;
  padding: [number, number, number, number];
}

const LAYERS: Layer[] = [
  { channels: 3, size: [5, 7], kernel: 3, padding: [1, 1, 1, 1] },
  { channels: 19, size: [9, 6], kernel: 3, stride: 2, padding: [0, 0, 1, 1] },
  { channels: 40, size: [8, 13], kernel: 5, padding: [2, 2, 2, 2] },
  { channels: 300, size: [6, 5], kernel: 5, stride: 2, padding: [1, 2, 2, 1] },
  { channels: 70, size: [9, 9], kernel: 7, padding: [3, 3, 3, 3] },
  {
    ...{ channels: 24, size: [11, 8], kernel: 3, dilation: 2 },
    padding: [2, 2, 2, 2],
  },
];

/** A leaky ReLU, the convolution, and what it makes and its gradients. */
async function run(device: Device, layer: Layer) {
  const { channels, size, kernel, stride, dilation, padding } = layer;
  const tensor = (shape: readonly number[], seed: number) =>
    device.tensor(shape, { data: uniform(shape, seed) });
  using program = device.program();
  const input = tensor([2, channels, ...size], 1);
  const weight = tensor([channels, 1, kernel, kernel], 2);
  const bias = tensor([channels], 3);
  const before = program.leakyRelu(input, 0.25);
  const made = program.conv2d(before, weight, {
    ...{ bias, padding, groups: channels },
    ...{ stride: stride ?? 1, dilation: dilation ?? 1 },
  });
  const after = program.activation(made, { kind: "clip", lower: 0, upper: 1 });
  program.output(after);
  const outputGradient = tensor(after.shape, 4);
  const gradients = program.backward(after, [input, weight, bias], {
    outputGradient,
  });
  await program.compile();
  await program.run("forward", "backward");
  await program.run("forward", "backward");
  return {
    values: [after, ...gradients].map((one) => one!.read()),
    algorithms: program.describe().steps.filter(({ operation }) =>
      /^conv2d(?! backward bias)/.test(operation)
    ).map(({ algorithm }) => algorithm),
  };
}

backendTest(
  "cuda",
  "a convolution of each channel by itself is the CPU's, by our own kernels " +
    "where cuDNN has none",
  async () => {
    const refused = Deno.env.get("CUDASIM_REFUSE_CHANNELS") === "1";
    using cpu = openDevice("cpu", { threads: 1 });
    for (const precision of ["f32", "bf16"] as const) {
      using cuda = openDevice("cuda", { precision });
      for (const layer of LAYERS) {
        const { values: expected } = await run(cpu, layer);
        const { values, algorithms } = await run(cuda, layer);
        if (refused) {
          assertEquals(
            algorithms,
            Array(3).fill("own kernel"),
            JSON.stringify(layer),
          );
        }
        values.forEach((value, i) => {
          const apart = Math.hypot(
            ...value.map((one, k) => one - expected[i]![k]!),
          );
          assertLessOrEqual(
            apart / Math.hypot(...expected[i]!),
            precision === "bf16" ? 0.1 : 1e-5,
            `${JSON.stringify(layer)}, ${precision}, ${i}`,
          );
        });
      }
    }
  },
);
