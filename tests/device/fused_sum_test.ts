import { assert, assertEquals } from "@std/assert";
import type { Device } from "../../src/device/device.ts";
import type { Tensor } from "../../src/device/tensor.ts";
import { openDevice } from "../../src/device/open_device.ts";
import { uniform } from "./_uniform.ts";

/** A convolution whose output is added to another map. */
interface Block {
  name: string;
  /** Channels of the input, and of what is made. */
  channels: [number, number];
  /** Height and width of the input. */
  size: [number, number];
  kernel: 1 | 3;
  stride?: 1 | 2;
  /** What is added: another convolution of the input, or the input itself. */
  shortcut: "convolution" | "input";
  /** Whether a batch normalisation with fixed statistics stands behind it. */
  norm?: boolean;
  negativeSlope?: number;
  /** Whether the shortcut is read once more, so that it must stay as it is. */
  readAgain?: boolean;
}

const BLOCKS: Block[] = [
  {
    name: "a shortcut that is the input, which is read once more",
    ...{ channels: [32, 32], size: [13, 9], kernel: 3, shortcut: "input" },
    ...{ norm: true, negativeSlope: 0, readAgain: true },
  },
  {
    name: "37 channels, which leave a part of their last block empty",
    ...{ channels: [21, 37], size: [15, 10], kernel: 3, norm: true },
    ...{ shortcut: "convolution", negativeSlope: 0.2 },
  },
  {
    name: "a 1 x 1 convolution",
    ...{ channels: [48, 19], size: [7, 11], kernel: 1, norm: true },
    ...{ shortcut: "convolution", negativeSlope: 0 },
  },
  {
    name: "a stride of 2",
    ...{ channels: [48, 32], size: [17, 12], kernel: 3, stride: 2 },
    ...{ shortcut: "convolution", norm: true, negativeSlope: 0 },
  },
  {
    name: "no activation and no normalisation",
    ...{ channels: [32, 32], size: [6, 5], kernel: 3 },
    ...{ shortcut: "convolution" },
  },
  {
    name: "a convolution of what it is added to, at once",
    ...{ channels: [16, 16], size: [9, 14], kernel: 3, shortcut: "input" },
    ...{ negativeSlope: 0.1 },
  },
];

/** What a block makes, and the algorithms of its steps; `apart`: with every sum a step of its own. */
async function run(
  device: Device,
  block: Block,
  options: { apart: boolean },
): Promise<{ values: Float32Array; algorithms: string[] }> {
  const { channels: [inputs, outputs], size, kernel, stride = 1 } = block;
  const tensor = (shape: number[], seed: number) =>
    device.tensor(shape, { data: uniform(shape, seed) });
  using program = device.program();
  let seed = 1;
  const convolve = (input: Tensor, from: number, side: number) => {
    const made = program.conv2d(
      input,
      tensor([outputs, from, side, side], seed++),
      {
        bias: tensor([outputs], seed++),
        padding: (side - 1) / 2,
        stride: from === inputs ? stride : 1,
      },
    );
    if (!block.norm) return made;
    return program.batchNorm2d(made, {
      weight: tensor([outputs], seed++),
      bias: tensor([outputs], seed++),
      runningMean: tensor([outputs], seed++),
      runningVariance: device.tensor([outputs], {
        data: uniform([outputs], seed++).map((value) => 1.5 + value),
      }),
    });
  };
  // Made by the program: what is added to may be written over. By a convolution:
  // it lies as convolutions take it.
  const input = program.conv2d(
    tensor([3, 5, ...size], 98),
    tensor([inputs, 5, 1, 1], 99),
  );
  const shortcut = block.shortcut === "input"
    ? input
    : convolve(input, inputs, 1);
  const body = convolve(input, inputs, kernel);
  if (options.apart) program.output(body);
  if (options.apart) program.output(shortcut);
  let made = program.add(body, shortcut);
  if (block.negativeSlope !== undefined) {
    made = program.leakyRelu(made, block.negativeSlope);
  }
  if (block.readAgain) made = program.multiply(made, shortcut);
  program.output(made);
  await program.compile();
  // The second run must find nothing of the first.
  await program.run("forward");
  await program.run("forward");
  return {
    values: made.read(),
    algorithms: program.describe().steps.map(({ algorithm }) => algorithm),
  };
}

for (const mode of ["direct", "winograd", "blocked"]) {
  for (const block of BLOCKS) {
    Deno.test(`a sum within a convolution, ${mode}: ${block.name}`, async () => {
      const before = Deno.env.get("GAPCAM_CONVOLUTION");
      Deno.env.set("GAPCAM_CONVOLUTION", mode);
      try {
        using device = openDevice("cpu", { threads: 2 });
        const whole = await run(device, block, { apart: false });
        const apart = await run(device, block, { apart: true });
        assertEquals(
          whole.algorithms.filter((name) => name.endsWith(", sum")).length,
          1,
          String(whole.algorithms),
        );
        assert(!apart.algorithms.some((name) => name.endsWith(", sum")));
        const largest = apart.values.reduce(
          (most, value) => Math.max(most, Math.abs(value)),
          0,
        );
        const apartBy = whole.values.reduce(
          (most, value, i) =>
            Math.max(most, Math.abs(value - apart.values[i]!)),
          0,
        );
        assert(apartBy <= 1e-6 * largest, `${apartBy} of ${largest}`);
      } finally {
        if (before === undefined) Deno.env.delete("GAPCAM_CONVOLUTION");
        else Deno.env.set("GAPCAM_CONVOLUTION", before);
      }
    });
  }
}
