/**
 * One table of cases for every backend: what to record, and what the plain
 * loops of _reference.ts say about it.
 *
 * @module
 */

import type { Program } from "../../src/device/program.ts";
import type { Tensor } from "../../src/device/tensor.ts";
import {
  type Array64,
  conv2d,
  globalAveragePool,
  leakyRelu,
  linear,
  maxPool2d,
  spatialSum,
} from "./_reference.ts";

export interface Case {
  name: string;
  /** Shapes of the f32 tensors that go in, each a target of backward. */
  inputs: Record<string, readonly number[]>;
  /** Whether it has no gradient. */
  forwardOnly?: boolean;
  /** Whether values are rounded to halves, so that maxima tie. */
  ties?: boolean;
  record: (program: Program, tensors: Record<string, Tensor>) => Tensor;
  compute: (arrays: Record<string, Array64>) => {
    output: Array64;
    backward: (dOutput: Float64Array) => Record<string, Float64Array>;
  };
}

interface Convolution {
  batch: number;
  inputs: number;
  outputs: number;
  size: readonly [number, number];
  kernel: number;
  stride?: number;
  padding?: number;
  slope?: number;
  bias?: boolean;
  /** A max pool after it. */
  pool?: { kernel: number; stride: number; padding: number };
  /** The slope of a leaky ReLU recorded as an operation of its own. */
  separateSlope?: number;
}

function convolution(options: Convolution): Case {
  const { batch, inputs, outputs, size, kernel, pool, separateSlope } = options;
  const { stride = 1, padding = 0, slope = 1, bias = true } = options;
  const parts = [
    `conv2d ${batch}x${inputs}x${size.join("x")} to ${outputs}`,
    `kernel ${kernel} stride ${stride} padding ${padding} slope ${slope}`,
  ];
  if (!bias) parts.push("no bias");
  if (separateSlope !== undefined) parts.push(`leaky ReLU ${separateSlope}`);
  if (pool) {
    parts.push(`pool ${pool.kernel} ${pool.stride} ${pool.padding}`);
  }
  return {
    name: parts.join(", "),
    inputs: {
      input: [batch, inputs, ...size],
      weight: [outputs, inputs, kernel, kernel],
      ...(bias ? { bias: [outputs] } : {}),
    },
    record: (program, { input, weight, bias }) => {
      let output = program.conv2d(input!, weight!, {
        ...(bias ? { bias } : {}),
        stride,
        padding,
        negativeSlope: slope,
      });
      if (separateSlope !== undefined) {
        output = program.leakyRelu(output, separateSlope);
      }
      return pool ? program.maxPool2d(output, pool.kernel, pool) : output;
    },
    compute: ({ input, weight, bias }) => {
      const linear = conv2d(input!, weight!, bias, { stride, padding });
      const active = leakyRelu(linear.output, slope * (separateSlope ?? 1));
      const pooled = pool && maxPool2d(active.output, pool.kernel, pool);
      return {
        output: (pooled ?? active).output,
        backward: (d) =>
          linear.backward(
            active.backward(pooled ? pooled.backward(d).input : d).input,
          ),
      };
    },
  };
}

function convolutions(): Case[] {
  const cases: Case[] = [];
  // Channels off and on the blocks of 8 and 16, sizes down to one pixel.
  const channels = [[1, 5], [3, 17], [5, 1], [17, 3], [16, 16], [8, 24]];
  const sizes = [[1, 1], [5, 7], [12, 12]] as const;
  const windows = [
    { kernel: 1 },
    { kernel: 3, padding: 1 },
    { kernel: 3 },
    { kernel: 3, padding: 1, stride: 2 },
    { kernel: 5, padding: 2, stride: 2 },
  ];
  let turn = 0;
  for (const [inputs, outputs] of channels as [number, number][]) {
    for (const size of sizes) {
      for (const window of windows) {
        if (size[0] + 2 * (window.padding ?? 0) < window.kernel) continue;
        // Batch, slope and bias take turns, instead of multiplying the table.
        cases.push(convolution({
          batch: turn % 3 === 0 ? 7 : 1,
          inputs,
          outputs,
          size,
          ...window,
          slope: [0.2, 1, 0][turn % 3]!,
          bias: turn % 4 !== 3,
        }));
        turn++;
      }
    }
  }
  const same = { kernel: 3, padding: 1 };
  return [
    ...cases,
    convolution({
      batch: 1,
      inputs: 3,
      outputs: 17,
      size: [33, 31],
      ...same,
      slope: 0.2,
    }),
    convolution({
      batch: 2,
      inputs: 17,
      outputs: 16,
      size: [33, 31],
      kernel: 5,
      stride: 2,
      padding: 2,
    }),
    // Tiles of 4x4 with and without a rest, and a rest alone.
    ...[[4, 4], [8, 12], [7, 9], [14, 14], [2, 2], [3, 5]].map((size) =>
      convolution({
        batch: 3,
        inputs: 16,
        outputs: 32,
        size: size as [number, number],
        ...same,
        slope: 0.2,
      })
    ),
    ...[{ kernel: 2, stride: 2, padding: 0 }, {
      kernel: 3,
      stride: 2,
      padding: 1,
    }].flatMap((pool) =>
      [[16, 16], [3, 5]].flatMap(([inputs, outputs]) =>
        [[8, 8], [9, 7]].map((size) =>
          convolution({
            batch: 2,
            inputs: inputs!,
            outputs: outputs!,
            size: size as [number, number],
            ...same,
            slope: inputs === 16 ? 0.2 : 0,
            pool,
          })
        )
      )
    ),
    convolution({
      batch: 2,
      inputs: 5,
      outputs: 6,
      size: [6, 6],
      ...same,
      separateSlope: 0.1,
      pool: { kernel: 2, stride: 2, padding: 0 },
    }),
    convolution({
      batch: 2,
      inputs: 5,
      outputs: 6,
      size: [6, 6],
      ...same,
      slope: 0.5,
      separateSlope: 0.1,
    }),
  ];
}

/**
 * One convolution after another: the second one's gradient passes the first
 * one's leaky ReLU, whose output is exactly 0 at many pixels of tied values.
 */
function chains(): Case[] {
  const window = { stride: 1, padding: 1 };
  return [0, 0.2].map((slope) => ({
    name: `conv2d twice, slope ${slope}`,
    inputs: {
      input: [2, 3, 9, 7],
      weight: [8, 3, 3, 3],
      bias: [8],
      next: [16, 8, 3, 3],
    },
    ties: true,
    record: (program, { input, weight, bias, next }) =>
      program.conv2d(
        program.conv2d(input!, weight!, {
          ...window,
          bias: bias!,
          negativeSlope: slope,
        }),
        next!,
        window,
      ),
    compute: ({ input, weight, bias, next }) => {
      const first = conv2d(input!, weight!, bias, window);
      const active = leakyRelu(first.output, slope);
      const second = conv2d(active.output, next!, undefined, window);
      return {
        output: second.output,
        backward: (d) => {
          const { input, weight } = second.backward(d);
          return {
            ...first.backward(active.backward(input).input),
            next: weight,
          };
        },
      };
    },
  } satisfies Case));
}

function pools(): Case[] {
  const windows = [
    [2, 2, 0],
    [3, 2, 1],
    [3, 1, 1],
    [2, 3, 0],
    [1, 1, 0],
    [3, 3, 0],
    [5, 2, 2],
    [17, 17, 8],
  ] as const;
  const shapes = [[1, 1, 1, 1], [7, 3, 5, 7], [1, 17, 12, 12], [2, 5, 33, 31]];
  return shapes.flatMap((shape) =>
    windows.filter(([kernel, , padding]) =>
      Math.min(shape[2]!, shape[3]!) + 2 * padding >= kernel
    ).flatMap(([kernel, stride, padding]) =>
      [false, true].map((ties) => ({
        name: `max_pool2d ${shape.join("x")}, kernel ${kernel} stride ` +
          `${stride} padding ${padding}${ties ? ", ties" : ""}`,
        inputs: { input: shape },
        ties,
        record: (program, { input }) =>
          program.maxPool2d(input!, kernel, { stride, padding }),
        compute: ({ input }) => maxPool2d(input!, kernel, { stride, padding }),
      } satisfies Case))
    )
  );
}

/** Of a map that the caller wrote, and of one in the layout that the backend chose. */
function spatialSums(shapes: readonly (readonly number[])[]): Case[] {
  return shapes.flatMap((shape): Case[] => {
    const [, channels, height, width] = shape as [number, ...number[]];
    const weights = [height!, width!];
    return [
      {
        name: `spatial_sum ${shape.join("x")}`,
        inputs: { input: shape, weights },
        forwardOnly: true,
        record: (program, { input, weights }) =>
          program.spatialSum(input!, weights!),
        compute: ({ input, weights }) => spatialSum(input!, weights!),
      },
      {
        name: `spatial_sum ${shape.join("x")} after conv2d`,
        inputs: {
          input: shape,
          weight: [channels! + 1, channels!, 3, 3],
          bias: [channels! + 1],
          weights,
        },
        forwardOnly: true,
        record: (program, { input, weight, bias, weights }) =>
          program.spatialSum(
            program.conv2d(input!, weight!, {
              bias: bias!,
              padding: 1,
              negativeSlope: 0.2,
            }),
            weights!,
          ),
        compute: ({ input, weight, bias, weights }) =>
          spatialSum(
            leakyRelu(
              conv2d(input!, weight!, bias, { stride: 1, padding: 1 }).output,
              0.2,
            ).output,
            weights!,
          ),
      },
    ];
  });
}

function others(): Case[] {
  const shapes = [[1, 1, 1, 1], [7, 3, 5, 7], [1, 17, 12, 12], [2, 16, 33, 31]];
  const heads = [[1, 1, 1], [7, 5, 3], [7, 17, 10], [33, 512, 10]];
  return [
    ...shapes.map((shape): Case => ({
      name: `leaky_relu ${shape.join("x")}`,
      inputs: { input: shape },
      record: (program, { input }) => program.leakyRelu(input!, 0.3),
      compute: ({ input }) => leakyRelu(input!, 0.3),
    })),
    ...shapes.map((shape): Case => ({
      name: `global_average_pool ${shape.join("x")}`,
      inputs: { input: shape },
      record: (program, { input }) => program.globalAveragePool(input!),
      compute: ({ input }) => globalAveragePool(input!),
    })),
    ...spatialSums(shapes),
    ...heads.flatMap(([n, i, o]) =>
      [true, false].map((bias): Case => ({
        name: `linear ${n}x${i} to ${o}${bias ? "" : ", no bias"}`,
        inputs: {
          input: [n!, i!],
          weight: [o!, i!],
          ...(bias ? { bias: [o!] } : {}),
        },
        record: (program, { input, weight, bias }) =>
          program.linear(input!, weight!, bias ? { bias } : {}),
        compute: ({ input, weight, bias }) => linear(input!, weight!, bias),
      }))
    ),
  ];
}

/** Convolutions, pools and the rest; batch normalisation is in {@linkcode normCases}. */
export const cases: readonly Case[] = [
  ...convolutions(),
  ...chains(),
  ...pools(),
  ...others(),
];

/** A batch normalisation, alone or after a convolution. */
export interface NormCase {
  name: string;
  shape: readonly [number, number, number, number];
  slope: number;
  convolved: boolean;
}

export const normCases: readonly NormCase[] = ([
  [2, 1, 3, 5],
  [7, 3, 9, 4],
  [3, 17, 8, 8],
  [2, 16, 33, 31],
] as const).flatMap((shape) =>
  [1, 0.1].flatMap((slope) =>
    [false, true].map((convolved) => ({
      name: `batch_norm2d ${shape.join("x")}, slope ${slope}` +
        (convolved ? ", after conv2d" : ""),
      shape,
      slope,
      convolved,
    }))
  )
);
