import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
} from "./_case.ts";

export function linear(
  input: Array64,
  weight: Array64,
  bias: Array64 | undefined,
): Computed<"input" | "weight" | "bias"> {
  const [n, inputs] = dimensions(input);
  const [outputs] = dimensions(weight);
  const output = array64([n, outputs]);
  for (let row = 0; row < n; row++) {
    for (let o = 0; o < outputs; o++) {
      let sum = bias?.data[o] ?? 0;
      for (let i = 0; i < inputs; i++) {
        sum += input.data[row * inputs + i]! * weight.data[o * inputs + i]!;
      }
      output.data[row * outputs + o] = sum;
    }
  }
  return {
    output,
    backward: (dOutput) => {
      const dInput = new Float64Array(n * inputs);
      const dWeight = new Float64Array(outputs * inputs);
      const dBias = new Float64Array(outputs);
      for (let row = 0; row < n; row++) {
        for (let o = 0; o < outputs; o++) {
          const d = dOutput[row * outputs + o]!;
          dBias[o]! += d;
          for (let i = 0; i < inputs; i++) {
            dInput[row * inputs + i]! += d * weight.data[o * inputs + i]!;
            dWeight[o * inputs + i]! += d * input.data[row * inputs + i]!;
          }
        }
      }
      return { input: dInput, weight: dWeight, bias: dBias };
    },
  };
}

const heads = [[1, 1, 1], [7, 5, 3], [7, 17, 10], [33, 512, 10]];

export const cases: readonly Case[] = heads.flatMap(([n, i, o]) =>
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
);
