import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
} from "./_case.ts";
import { conv2d } from "./conv2d.ts";

/** Output channel i * groups + g is input channel g * (channels / groups) + i. */
export function channelShuffle(
  input: Array64,
  groups: number,
): Computed<"input"> {
  const [n, channels, h, w] = dimensions(input);
  const output = array64(input.shape);
  const each = channels / groups;
  const dInput = new Float64Array(input.data.length);
  const move = (visit: (from: number, to: number) => void) => {
    for (let image = 0; image < n; image++) {
      for (let g = 0; g < groups; g++) {
        for (let i = 0; i < each; i++) {
          for (let p = 0; p < h * w; p++) {
            visit(
              (image * channels + g * each + i) * h * w + p,
              (image * channels + i * groups + g) * h * w + p,
            );
          }
        }
      }
    }
  };
  move((from, to) => output.data[to] = input.data[from]!);
  return {
    output,
    backward: (dOutput) => {
      move((from, to) => dInput[from] = dOutput[to]!);
      return { input: dInput };
    },
  };
}

const shuffles = [
  [[1, 1, 1, 1], 1],
  [[2, 6, 5, 7], 2],
  [[2, 6, 5, 7], 3],
  [[1, 13, 4, 3], 13],
  [[3, 24, 4, 5], 2],
  [[1, 58, 3, 3], 2],
  [[2, 40, 1, 1], 8],
] as const;

export const cases: readonly Case[] = shuffles.flatMap((
  [shape, groups],
): Case[] => [
  {
    name: `channel_shuffle ${shape.join("x")}, ${groups} groups`,
    inputs: { input: shape },
    record: (program, { input }) => program.channelShuffle(input!, groups),
    compute: ({ input }) => channelShuffle(input!, groups),
  },
  {
    name: `channel_shuffle ${shape.join("x")}, ${groups} groups, after conv2d`,
    inputs: { input: shape, weight: [shape[1], shape[1], 1, 1] },
    record: (program, { input, weight }) =>
      program.channelShuffle(program.conv2d(input!, weight!), groups),
    compute: ({ input, weight }) => {
      const window = { stride: 1, padding: 0 };
      const map = conv2d(input!, weight!, undefined, window);
      const { output, backward } = channelShuffle(map.output, groups);
      return {
        output,
        backward: (d) => {
          const { input, weight } = map.backward(backward(d).input);
          return { input, weight };
        },
      };
    },
  },
]);
