import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
  SHAPES,
} from "./_case.ts";
import { activate } from "./activation.ts";
import { conv2d } from "./conv2d.ts";
import { multiply } from "./multiply.ts";

export function globalAveragePool(
  input: Array64,
  { keepDimensions = false } = {},
): Computed<"input"> {
  const [n, channels, height, width] = dimensions(input);
  const pixels = height * width;
  const output = array64(keepDimensions ? [n, channels, 1, 1] : [n, channels]);
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

/** Squeeze and excitation: the map's mean, through a convolution and a sigmoid, is its gate. */
function gated(shape: readonly number[]): Case {
  const [, channels] = shape as [number, number];
  const window = { stride: 1, padding: 0 };
  const options = { keepDimensions: true };
  return {
    name: `global_average_pool ${shape.join("x")} as a gate`,
    inputs: {
      input: shape,
      weight: [channels, channels, 1, 1],
      bias: [channels],
    },
    record: (program, { input, weight, bias }) => {
      const map = program.conv2d(input!, weight!);
      const pooled = program.globalAveragePool(map, options);
      const gate = program.conv2d(pooled, weight!, { bias: bias! });
      return program.multiply(
        map,
        program.activation(gate, { kind: "sigmoid" }),
      );
    },
    compute: ({ input, weight, bias }) => {
      const map = conv2d(input!, weight!, undefined, window);
      const pooled = globalAveragePool(map.output, options);
      const convolved = conv2d(pooled.output, weight!, bias, window);
      const gate = activate(convolved.output, { kind: "sigmoid" });
      const { output, backward } = multiply(map.output, gate.output);
      return {
        output,
        backward: (d) => {
          const { first, second } = backward(d);
          const inner = convolved.backward(gate.backward(second).input);
          const more = pooled.backward(inner.input).input;
          const outer = map.backward(first.map((x, i) => x + more[i]!));
          return {
            input: outer.input,
            weight: outer.weight.map((x, i) => x + inner.weight[i]!),
            bias: inner.bias,
          };
        },
      };
    },
  };
}

export const cases: readonly Case[] = [
  ...SHAPES.flatMap((shape) =>
    [false, true].map((keepDimensions): Case => ({
      name: `global_average_pool ${shape.join("x")}` +
        (keepDimensions ? ", dimensions kept" : ""),
      inputs: { input: shape },
      record: (program, { input }) =>
        keepDimensions
          ? program.globalAveragePool(input!, { keepDimensions })
          : program.globalAveragePool(input!),
      compute: ({ input }) => globalAveragePool(input!, { keepDimensions }),
    }))
  ),
  ...[...SHAPES.slice(0, 3), [2, 13, 4, 3]].map(gated),
];
