import {
  type Array64,
  array64,
  type Case,
  type Computed,
  SHAPES,
} from "./_case.ts";
import { conv2d } from "./conv2d.ts";

/** Of one shape, or `second` is a gate [N, C, 1, 1] for a map. */
export function multiply(
  first: Array64,
  second: Array64,
): Computed<"first" | "second"> {
  const each = first.data.length / second.data.length;
  const at = (i: number) => Math.floor(i / each);
  return {
    output: {
      shape: first.shape,
      data: first.data.map((x, i) => x * second.data[at(i)]!),
    },
    backward: (dOutput) => {
      const dSecond = new Float64Array(second.data.length);
      dOutput.forEach((d, i) => dSecond[at(i)]! += d * first.data[i]!);
      return {
        first: dOutput.map((d, i) => d * second.data[at(i)]!),
        second: dSecond,
      };
    },
  };
}

/** By a gate that the caller wrote, and by one that a convolution made of the map's corner. */
function gates(shape: readonly number[]): Case[] {
  const [n, channels] = shape as [number, number];
  const gate = [n, channels, 1, 1];
  return [
    {
      name: `multiply ${shape.join("x")} by a gate`,
      inputs: { input: shape, gate },
      record: (program, { input, gate }) => program.multiply(input!, gate!),
      compute: ({ input, gate }) => {
        const { output, backward } = multiply(input!, gate!);
        return {
          output,
          backward: (d) => {
            const { first, second } = backward(d);
            return { input: first, gate: second };
          },
        };
      },
    },
    {
      name: `multiply ${shape.join("x")} by a gate, both convolved`,
      inputs: {
        input: shape,
        gate,
        weight: [channels, channels, 1, 1],
      },
      record: (program, { input, gate, weight }) =>
        program.multiply(
          program.conv2d(input!, weight!),
          program.conv2d(gate!, weight!),
        ),
      compute: ({ input, gate, weight }) => {
        const window = { stride: 1, padding: 0 };
        const map = conv2d(input!, weight!, undefined, window);
        const by = conv2d(gate!, weight!, undefined, window);
        const { output, backward } = multiply(map.output, by.output);
        return {
          output,
          backward: (d) => {
            const { first, second } = backward(d);
            const one = map.backward(first);
            const two = by.backward(second);
            return {
              input: one.input,
              gate: two.input,
              weight: one.weight.map((w, i) => w + two.weight[i]!),
            };
          },
        };
      },
    },
  ];
}

export const cases: readonly Case[] = [
  ...[...SHAPES, [1, 13, 4, 3], [5, 13]].map((shape): Case => ({
    name: `multiply ${shape.join("x")}`,
    inputs: { input: shape, second: shape },
    record: (program, { input, second }) => program.multiply(input!, second!),
    compute: ({ input, second }) => {
      const { output, backward } = multiply(input!, second!);
      return {
        output,
        backward: (d) => {
          const { first, second } = backward(d);
          return { input: first, second };
        },
      };
    },
  })),
  {
    // The gradient is the sum of both uses.
    name: "multiply 2x13x3x5 by itself",
    inputs: { input: [2, 13, 3, 5] },
    record: (program, { input }) => program.multiply(input!, input!),
    compute: ({ input }) => ({
      output: array64(input!.shape, input!.data.map((x) => x * x)),
      backward: (d) => ({ input: d.map((d, i) => 2 * d * input!.data[i]!) }),
    }),
  },
  ...[...SHAPES, [1, 13, 4, 3]].flatMap((shape) => gates(shape)),
];
