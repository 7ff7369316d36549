import type { Activation } from "../../src/device/activation.ts";
import { type Array64, type Case, type Computed, SHAPES } from "./_case.ts";

/** What an activation makes of x, and its derivative there. */
interface Scalar {
  output: (x: number) => number;
  derivative: (x: number) => number;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** The integral of the normal distribution up to x, by its series: for |x| below 5. */
export function normalCdf(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 1; k < 200; k++) {
    term *= x * x / (2 * k + 1);
    sum += term;
  }
  return 0.5 + sum * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
}

/** Where x is not a number, a gradient is let through or is none. */
export function scalarOf(activation: Activation): Scalar {
  switch (activation.kind) {
    case "leakyRelu": {
      const slope = activation.negativeSlope;
      return {
        output: (x) => x < 0 ? slope * x : x,
        derivative: (x) => x <= 0 ? slope : 1,
      };
    }
    case "clip": {
      const { lower, upper } = activation;
      return {
        output: (x) => x < lower ? lower : x > upper ? upper : x,
        derivative: (x) => x <= lower || x >= upper ? 0 : 1,
      };
    }
    case "sigmoid":
      return {
        output: sigmoid,
        derivative: (x) => sigmoid(x) * (1 - sigmoid(x)),
      };
    case "silu":
      return {
        output: (x) => x * sigmoid(x),
        derivative: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
      };
    case "hardSigmoid":
      return {
        output: (x) => x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6,
        derivative: (x) => x <= -3 || x >= 3 ? 0 : 1 / 6,
      };
    case "hardSwish":
      return {
        output: (x) => x <= -3 ? 0 : x >= 3 ? x : x * (x + 3) / 6,
        derivative: (x) => x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5,
      };
    case "gelu":
      return {
        output: (x) => x * normalCdf(x),
        derivative: (x) =>
          normalCdf(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI),
      };
  }
}

export function activate(
  input: Array64,
  activation: Activation,
): Computed<"input"> {
  const { output, derivative } = scalarOf(activation);
  return {
    output: { shape: input.shape, data: input.data.map(output) },
    backward: (dOutput) => ({
      // Where it is flat nothing passes, not even what is not a number.
      input: dOutput.map((d, i) => {
        const slope = derivative(input.data[i]!);
        return slope === 0 ? 0 : d * slope;
      }),
    }),
  };
}

export const ACTIVATIONS: readonly Activation[] = [
  { kind: "leakyRelu", negativeSlope: 0 },
  { kind: "leakyRelu", negativeSlope: 0.3 },
  { kind: "clip", lower: 0, upper: 6 },
  { kind: "clip", lower: 0.5, upper: 2 },
  { kind: "sigmoid" },
  { kind: "silu" },
  { kind: "hardSigmoid" },
  { kind: "hardSwish" },
  { kind: "gelu" },
];

export const cases: readonly Case[] = ACTIVATIONS.slice(2).flatMap(
  (activation) =>
    [...SHAPES.slice(0, 3), [5, 13]].map((shape) => ({
      name: `${activation.kind} ${shape.join("x")}`,
      inputs: { input: shape },
      record: (program, { input }) => program.activation(input!, activation),
      compute: ({ input }) => activate(input!, activation),
    } satisfies Case)),
);
