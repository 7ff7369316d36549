import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
} from "./_case.ts";
import { conv2d } from "./conv2d.ts";

export function sliceChannels(
  input: Array64,
  start: number,
  end: number,
): Computed<"input"> {
  const [n, channels, h, w] = dimensions(input);
  const output = array64([n, end - start, h, w]);
  /** Where an element of the output lies in the input. */
  const from = (o: number) => {
    const plane = Math.floor(o / (h * w));
    const image = Math.floor(plane / (end - start));
    const channel = start + plane % (end - start);
    return (image * channels + channel) * h * w + o % (h * w);
  };
  output.data.forEach((_, o) => output.data[o] = input.data[from(o)]!);
  return {
    output,
    backward: (dOutput) => {
      const dInput = new Float64Array(input.data.length);
      dOutput.forEach((d, o) => dInput[from(o)] = d);
      return { input: dInput };
    },
  };
}

const parts = [
  [[1, 1, 1, 1], 0, 1],
  [[2, 3, 5, 7], 1, 3],
  [[1, 13, 4, 3], 5, 6],
  [[3, 17, 4, 5], 0, 16],
  [[2, 40, 1, 1], 8, 24],
  [[2, 40, 3, 3], 16, 40],
] as const;

export const cases: readonly Case[] = [
  ...parts.flatMap(([shape, start, end]): Case[] => [
    {
      name: `slice_channels ${shape.join("x")}, ${start} to ${end}`,
      inputs: { input: shape },
      record: (program, { input }) => program.sliceChannels(input!, start, end),
      compute: ({ input }) => sliceChannels(input!, start, end),
    },
    {
      // Two uses of a map in the layout that the backend chose.
      name: `slice_channels ${shape.join("x")}, ${start} to ${end} and all, ` +
        "after conv2d",
      inputs: { input: shape, weight: [shape[1], shape[1], 1, 1] },
      record: (program, { input, weight }) => {
        const map = program.conv2d(input!, weight!);
        return program.concatenate([
          map,
          program.sliceChannels(map, start, end),
        ]);
      },
      compute: ({ input, weight }) => {
        const window = { stride: 1, padding: 0 };
        const map = conv2d(input!, weight!, undefined, window);
        const part = sliceChannels(map.output, start, end);
        const [n, channels, h, w] = dimensions(map.output);
        const all = channels + end - start;
        const output = array64([n, all, h, w]);
        const each = [channels, end - start].map((count) => count * h * w);
        for (let i = 0; i < n; i++) {
          [map.output, part.output].forEach(({ data }, k) =>
            output.data.set(
              data.subarray(i * each[k]!, (i + 1) * each[k]!),
              i * all * h * w + k * each[0]!,
            )
          );
        }
        return {
          output,
          backward: (d) => {
            const whole = array64([n, all, h, w], d);
            const first = sliceChannels(whole, 0, channels).output.data;
            const second = sliceChannels(whole, channels, all).output.data;
            const more = part.backward(second).input;
            const { input, weight } = map.backward(
              first.map((x, i) => x + more[i]!),
            );
            return { input, weight };
          },
        };
      },
    },
  ]),
];
