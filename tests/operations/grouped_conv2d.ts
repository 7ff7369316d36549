import type { Case } from "./_case.ts";
import { conv2d } from "./conv2d.ts";
import { leakyRelu } from "./leaky_relu.ts";

interface Grouped {
  batch?: number;
  inputs: number;
  outputs: number;
  groups: number;
  size: readonly [number, number];
  kernel: readonly [number, number];
  stride?: number;
  padding?: number | readonly [number, number, number, number];
  dilation?: number;
  slope?: number;
  bias?: boolean;
}

function nameOf(options: Grouped): string {
  const { stride = 1, padding = 0, dilation = 1, slope = 1 } = options;
  const { inputs, outputs, groups, size, kernel, bias = true } = options;
  return `${inputs}x${size.join("x")} to ${outputs}, groups ${groups}, ` +
    `kernel ${kernel.join("x")} stride ${stride} padding ${padding} ` +
    `dilation ${dilation} slope ${slope}${bias ? "" : ", no bias"}`;
}

/** A convolution of a tensor of the device, which lies as the host sees it. */
function alone(options: Grouped): Case {
  const { inputs, outputs, groups, size, kernel } = options;
  const { batch = 2, stride = 1, padding = 0, dilation = 1 } = options;
  const { slope = 1, bias = true } = options;
  const windows = { stride, padding, dilation, groups };
  return {
    name: `conv2d ${nameOf(options)}`,
    inputs: {
      input: [batch, inputs, ...size],
      weight: [outputs, inputs / groups, ...kernel],
      ...(bias ? { bias: [outputs] } : {}),
    },
    record: (program, { input, weight, bias }) =>
      program.conv2d(input!, weight!, {
        ...(bias ? { bias } : {}),
        ...windows,
        negativeSlope: slope,
      }),
    compute: ({ input, weight, bias }) => {
      const { output, backward } = conv2d(input!, weight!, bias, windows);
      const active = leakyRelu(output, slope);
      return {
        output: active.output,
        backward: (d) => backward(active.backward(d).input),
      };
    },
  };
}

/**
 * Between two convolutions of one pixel, as in MobileNet: maps then lie as the
 * device likes them, and the gradients of its activation and of that before it
 * pass the convolutions.
 */
function between(options: Grouped): Case {
  const { inputs, outputs, groups, size, kernel } = options;
  const { batch = 2, stride = 1, padding = 0, dilation = 1 } = options;
  const { slope = 1, bias = true } = options;
  const windows = { stride, padding, dilation, groups };
  const plain = { stride: 1, padding: 0 };
  return {
    name: `conv2d between others, ${nameOf(options)}`,
    inputs: {
      input: [batch, 3, ...size],
      before: [inputs, 3, 1, 1],
      weight: [outputs, inputs / groups, ...kernel],
      ...(bias ? { bias: [outputs] } : {}),
      after: [5, outputs, 1, 1],
    },
    record: (program, { input, before, weight, bias, after }) => {
      const first = program.conv2d(input!, before!, { negativeSlope: 0.2 });
      const second = program.conv2d(first, weight!, {
        ...(bias ? { bias } : {}),
        ...windows,
        negativeSlope: slope,
      });
      return program.conv2d(second, after!);
    },
    compute: ({ input, before, weight, bias, after }) => {
      const first = conv2d(input!, before!, undefined, plain);
      const map = leakyRelu(first.output, 0.2);
      const second = conv2d(map.output, weight!, bias, windows);
      const active = leakyRelu(second.output, slope);
      const third = conv2d(active.output, after!, undefined, plain);
      return {
        output: third.output,
        backward: (d) => {
          const behind = third.backward(d);
          const own = second.backward(active.backward(behind.input).input);
          const { input, weight } = first.backward(
            map.backward(own.input).input,
          );
          return {
            input,
            before: weight,
            weight: own.weight,
            bias: own.bias,
            after: behind.weight,
          };
        },
      };
    },
  };
}

function depthwise(
  channels: number,
  options: Partial<Grouped> & Pick<Grouped, "kernel">,
): Grouped {
  return {
    inputs: channels,
    outputs: channels,
    groups: channels,
    size: [9, 7],
    ...options,
  };
}

/** Grouped, depthwise, with more outputs than channels, dilated, unevenly padded. */
const windows: readonly Grouped[] = [
  // A group, or a rest of one, is no whole block of channels.
  {
    inputs: 6,
    outputs: 4,
    groups: 2,
    size: [5, 7],
    kernel: [3, 3],
    padding: 1,
  },
  { inputs: 9, outputs: 15, groups: 3, size: [6, 5], kernel: [1, 1], slope: 0 },
  {
    inputs: 32,
    outputs: 64,
    groups: 4,
    size: [9, 7],
    kernel: [3, 3],
    stride: 2,
    padding: 1,
    slope: 0.2,
  },
  // ResNeXt's and RegNet's: several groups fill a block of channels, or most of it.
  ...[4, 8].flatMap((group): Grouped[] =>
    [5, 16].flatMap((groups) => {
      const channels = {
        inputs: group * groups,
        outputs: group * groups,
        groups,
      };
      const kernel = [3, 3] as const;
      return [
        { ...channels, size: [9, 17], kernel, padding: 1, slope: 0 },
        { ...channels, size: [10, 15], kernel, padding: 1, stride: 2 },
      ];
    })
  ),
  // As TensorFlow pads: one more below and to the right.
  {
    inputs: 3,
    outputs: 8,
    groups: 1,
    size: [8, 10],
    kernel: [3, 3],
    stride: 2,
    padding: [0, 0, 1, 1],
    slope: 0.2,
  },
  {
    inputs: 5,
    outputs: 6,
    groups: 1,
    size: [7, 6],
    kernel: [5, 3],
    padding: [1, 3, 2, 0],
  },
  {
    inputs: 4,
    outputs: 17,
    groups: 1,
    size: [11, 9],
    kernel: [3, 3],
    padding: 2,
    dilation: 2,
    slope: 0,
  },
  {
    inputs: 8,
    outputs: 12,
    groups: 2,
    size: [9, 9],
    kernel: [3, 2],
    stride: 2,
    padding: [2, 1, 0, 2],
    dilation: 2,
    bias: false,
  },
  ...[5, 17, 32].flatMap((channels) => [
    depthwise(channels, { kernel: [3, 3], padding: 1, slope: 0.2 }),
    depthwise(channels, {
      size: [13, 21],
      kernel: [5, 5],
      padding: 2,
      slope: 0,
    }),
    depthwise(channels, { kernel: [3, 3], stride: 2, padding: [0, 0, 1, 1] }),
    depthwise(channels, {
      size: [15, 14],
      kernel: [5, 5],
      stride: 2,
      padding: [1, 2, 2, 1],
    }),
  ]),
  ...[3, 9, 16].flatMap((channels) => [
    depthwise(channels, {
      outputs: 2 * channels,
      kernel: [3, 3],
      padding: 1,
      slope: 0.3,
    }),
    depthwise(channels, {
      outputs: 3 * channels,
      kernel: [1, 4],
      stride: 2,
      bias: false,
    }),
  ]),
  {
    inputs: 16,
    outputs: 16,
    groups: 16,
    size: [17, 40],
    kernel: [3, 3],
    padding: 3,
    dilation: 3,
    stride: 2,
    slope: 0.2,
  },
  {
    inputs: 10,
    outputs: 10,
    groups: 10,
    size: [3, 4],
    kernel: [7, 9],
    padding: [5, 4, 4, 6],
    stride: 3,
  },
  // Rows long enough to have an inside.
  depthwise(17, { size: [9, 37], kernel: [3, 3], stride: 2, padding: 1 }),
  depthwise(8, { size: [5, 35], kernel: [3, 3], padding: 1, slope: 0 }),
  // One pixel, and a kernel of which most meets nothing.
  {
    inputs: 8,
    outputs: 8,
    groups: 8,
    size: [1, 1],
    kernel: [3, 3],
    padding: 1,
    slope: 0.2,
  },
];

export const cases: readonly Case[] = windows.flatMap((one, i) => [
  alone({ ...one, batch: i % 3 === 0 ? 1 : 2 }),
  between(one),
]);
