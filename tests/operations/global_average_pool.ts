import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
  SHAPES,
} from "./_case.ts";

export function globalAveragePool(input: Array64): Computed<"input"> {
  const [n, channels, height, width] = dimensions(input);
  const pixels = height * width;
  const output = array64([n, channels]);
  input.data.forEach((x, i) =>
    output.data[Math.floor(i / pixels)]! += x / pixels
  );
  return {
    output,
    backward: (dOutput) => ({
      input: input.data.map((_, i) =>
        dOutput[Math.floor(i / pixels)]! / pixels
      ),
    }),
  };
}

export const cases: readonly Case[] = SHAPES.map((shape) => ({
  name: `global_average_pool ${shape.join("x")}`,
  inputs: { input: shape },
  record: (program, { input }) => program.globalAveragePool(input!),
  compute: ({ input }) => globalAveragePool(input!),
}));
