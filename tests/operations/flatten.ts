import {
  type Array64,
  type Case,
  type Computed,
  dimensions,
  SHAPES,
} from "./_case.ts";
import { conv2d } from "./conv2d.ts";
import { linear } from "./linear.ts";

export function flatten(input: Array64): Computed<"input"> {
  const [n, c, h, w] = dimensions(input);
  return {
    output: { shape: [n, c * h * w], data: input.data },
    backward: (dOutput) => ({ input: dOutput }),
  };
}

/** Between a convolution and a linear layer, as in AlexNet. */
function between(shape: readonly number[]): Case {
  const [, channels, height, width] = shape as [number, number, number, number];
  const window = { stride: 1, padding: 0 };
  return {
    name: `flatten ${shape.join("x")} between conv2d and linear`,
    inputs: {
      input: shape,
      weight: [channels, channels, 1, 1],
      head: [3, channels * height * width],
    },
    record: (program, { input, weight, head }) =>
      program.linear(
        program.flatten(program.conv2d(input!, weight!)),
        head!,
      ),
    compute: ({ input, weight, head }) => {
      const map = conv2d(input!, weight!, undefined, window);
      const flat = flatten(map.output);
      const { output, backward } = linear(flat.output, head!, undefined);
      return {
        output,
        backward: (d) => {
          const gradients = backward(d);
          const { input, weight } = map.backward(gradients.input);
          return { input, weight, head: gradients.weight };
        },
      };
    },
  };
}

const shapes = [...SHAPES.slice(0, 3), [1, 13, 4, 3], [5, 13, 1, 1]];

export const cases: readonly Case[] = shapes.flatMap((shape) => [
  {
    name: `flatten ${shape.join("x")}`,
    inputs: { input: shape },
    record: (program, { input }) => program.flatten(input!),
    compute: ({ input }) => flatten(input!),
  },
  between(shape),
]);
