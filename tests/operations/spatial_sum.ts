import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
  SHAPES,
} from "./_case.ts";
import { conv2d } from "./conv2d.ts";
import { leakyRelu } from "./leaky_relu.ts";

/** Has no gradient. */
export function spatialSum(input: Array64, weights: Array64): Computed<never> {
  const [n, channels, height, width] = dimensions(input);
  const pixels = height * width;
  const output = array64([n, channels]);
  input.data.forEach((x, i) =>
    output.data[Math.floor(i / pixels)]! += weights.data[i % pixels]! * x
  );
  return { output, backward: () => ({}) };
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

export const cases: readonly Case[] = spatialSums(SHAPES);
