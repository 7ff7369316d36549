import { type Array64, type Computed, dimensions } from "./_case.ts";

/** `running` holds mean and variance; training replaces them as PyTorch does. */
export function batchNorm2d(
  input: Array64,
  weight: Array64,
  bias: Array64,
  running: { mean: Float64Array; variance: Float64Array },
  { training, epsilon, momentum }: {
    training: boolean;
    epsilon: number;
    momentum: number;
  },
): Computed<"input" | "weight" | "bias"> {
  const [n, channels, height, width] = dimensions(input);
  const pixels = height * width;
  const count = n * pixels;
  const channel = (i: number) => Math.floor(i / pixels) % channels;
  const sums = (value: (i: number) => number) => {
    const total = new Float64Array(channels);
    for (let i = 0; i < input.data.length; i++) total[channel(i)]! += value(i);
    return total;
  };
  let { mean, variance } = running;
  if (training) {
    const batchMean = sums((i) => input.data[i]!).map((sum) => sum / count);
    const squares = sums((i) => (input.data[i]! - batchMean[channel(i)]!) ** 2);
    mean = batchMean;
    variance = squares.map((sum) => sum / count);
    for (let c = 0; c < channels; c++) {
      running.mean[c]! += momentum * (mean[c]! - running.mean[c]!);
      running.variance[c]! += momentum *
        (squares[c]! / (count - 1) - running.variance[c]!);
    }
  }
  const inverse = variance.map((v) => 1 / Math.sqrt(v + epsilon));
  const normal = input.data.map((x, i) =>
    (x - mean[channel(i)]!) * inverse[channel(i)]!
  );
  return {
    output: {
      shape: input.shape,
      data: normal.map((x, i) =>
        x * weight.data[channel(i)]! + bias.data[channel(i)]!
      ),
    },
    backward: (dOutput) => {
      const dBias = sums((i) => dOutput[i]!);
      const dWeight = sums((i) => dOutput[i]! * normal[i]!);
      const dInput = dOutput.map((d, i) => {
        const c = channel(i);
        const shift = training
          ? (dBias[c]! + normal[i]! * dWeight[c]!) / count
          : 0;
        return weight.data[c]! * inverse[c]! * (d - shift);
      });
      return { input: dInput, weight: dWeight, bias: dBias };
    },
  };
}

/** A batch normalisation, alone or after a convolution. */
export interface NormCase {
  name: string;
  shape: readonly [number, number, number, number];
  slope: number;
  /** The groups of the convolution before it, of 3x3 with a padding of 1; 0: there is none. */
  convolved: number;
}

export const normCases: readonly NormCase[] = ([
  [2, 1, 3, 5],
  [2, 6, 5, 7],
  [7, 3, 9, 4],
  [3, 17, 8, 8],
  [2, 16, 33, 31],
] as const).flatMap((shape) =>
  [1, 0.1].flatMap((slope) =>
    [0, 1, 2, shape[1]].filter((groups) =>
      groups === 0 || shape[1] % groups === 0
    ).map((convolved) => ({
      name: `batch_norm2d ${shape.join("x")}, slope ${slope}` +
        (convolved ? `, after conv2d of ${convolved} groups` : ""),
      shape,
      slope,
      convolved,
    }))
  )
);
