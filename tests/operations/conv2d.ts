import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
} from "./_case.ts";
import { leakyRelu } from "./leaky_relu.ts";
import { maxPool2d } from "./max_pool2d.ts";

export function conv2d(
  input: Array64,
  weight: Array64,
  bias: Array64 | undefined,
  { stride, padding, dilation = 1, groups = 1 }: {
    stride: number;
    /** One for all sides, or top, left, bottom, right. */
    padding: number | readonly [number, number, number, number];
    dilation?: number;
    groups?: number;
  },
): Computed<"input" | "weight" | "bias"> {
  const [n, inputs, height, width] = dimensions(input);
  const [outputs, each, kh, kw] = dimensions(weight);
  const [top, left, bottom, right] = typeof padding === "number"
    ? [padding, padding, padding, padding]
    : padding;
  const count = (size: number, kernel: number) =>
    Math.floor((size - dilation * (kernel - 1) - 1) / stride) + 1;
  const rows = count(top + height + bottom, kh);
  const columns = count(left + width + right, kw);
  const output = array64([n, outputs, rows, columns]);
  /** Calls visit(output index, input index, weight index) for each product. */
  const products = (visit: (o: number, i: number, w: number) => void) => {
    let o = 0;
    for (let image = 0; image < n; image++) {
      for (let oc = 0; oc < outputs; oc++) {
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++, o++) {
            const first = Math.floor(oc / (outputs / groups)) * each;
            for (let ic = 0; ic < each; ic++) {
              for (let y = 0; y < kh; y++) {
                const iy = row * stride - top + y * dilation;
                if (iy < 0 || iy >= height) continue;
                for (let x = 0; x < kw; x++) {
                  const ix = column * stride - left + x * dilation;
                  if (ix < 0 || ix >= width) continue;
                  visit(
                    o,
                    ((image * inputs + first + ic) * height + iy) * width + ix,
                    ((oc * each + ic) * kh + y) * kw + x,
                  );
                }
              }
            }
          }
        }
      }
    }
  };
  const channel = (o: number) => Math.floor(o / (rows * columns)) % outputs;
  if (bias) {
    for (let o = 0; o < output.data.length; o++) {
      output.data[o] = bias.data[channel(o)]!;
    }
  }
  products((o, i, w) => output.data[o]! += input.data[i]! * weight.data[w]!);
  return {
    output,
    backward: (dOutput) => {
      const dInput = new Float64Array(input.data.length);
      const dWeight = new Float64Array(weight.data.length);
      const dBias = new Float64Array(outputs);
      products((o, i, w) => {
        dInput[i]! += dOutput[o]! * weight.data[w]!;
        dWeight[w]! += dOutput[o]! * input.data[i]!;
      });
      dOutput.forEach((d, o) => dBias[channel(o)]! += d);
      return { input: dInput, weight: dWeight, bias: dBias };
    },
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

export const cases: readonly Case[] = [...convolutions(), ...chains()];
