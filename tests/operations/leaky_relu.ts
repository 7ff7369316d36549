import { type Array64, type Case, type Computed, SHAPES } from "./_case.ts";

export function leakyRelu(input: Array64, slope: number): Computed<"input"> {
  /** As PyTorch's ReLU, slope 0 gives 0 for infinity too. */
  const below = (x: number) => slope === 0 ? 0 : x * slope;
  const output = input.data.map((x) => x < 0 ? below(x) : x);
  return {
    output: { shape: input.shape, data: output },
    backward: (dOutput) => ({
      input: dOutput.map((d, i) => input.data[i]! <= 0 ? below(d) : d),
    }),
  };
}

export const cases: readonly Case[] = SHAPES.map((shape) => ({
  name: `leaky_relu ${shape.join("x")}`,
  inputs: { input: shape },
  record: (program, { input }) => program.leakyRelu(input!, 0.3),
  compute: ({ input }) => leakyRelu(input!, 0.3),
}));
