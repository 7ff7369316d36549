/**
 * The operations of gapcam.h as plain loops in f64, forward and backward: what
 * every backend is held against. Slow and obvious on purpose.
 *
 * @module
 */

/** A tensor in row-major order. */
export interface Array64 {
  shape: readonly number[];
  data: Float64Array;
}

/** What an operation gives, and the gradients of its inputs from that of its output. */
export interface Computed<Names extends string> {
  output: Array64;
  backward: (dOutput: Float64Array) => Record<Names, Float64Array>;
}

export interface Windows {
  stride: number;
  padding: number;
}

export function array64(
  shape: readonly number[],
  data?: ArrayLike<number>,
): Array64 {
  const length = shape.reduce((product, size) => product * size, 1);
  return { shape, data: Float64Array.from(data ?? { length }, (x) => x ?? 0) };
}

function dimensions(array: Array64): [number, number, number, number] {
  const [n = 1, c = 1, h = 1, w = 1] = array.shape;
  return [n, c, h, w];
}

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

export function conv2d(
  input: Array64,
  weight: Array64,
  bias: Array64 | undefined,
  { stride, padding }: Windows,
): Computed<"input" | "weight" | "bias"> {
  const [n, inputs, height, width] = dimensions(input);
  const [outputs, , kh, kw] = dimensions(weight);
  const rows = Math.floor((height + 2 * padding - kh) / stride) + 1;
  const columns = Math.floor((width + 2 * padding - kw) / stride) + 1;
  const output = array64([n, outputs, rows, columns]);
  /** Calls visit(output index, input index, weight index) for each product. */
  const products = (visit: (o: number, i: number, w: number) => void) => {
    let o = 0;
    for (let image = 0; image < n; image++) {
      for (let oc = 0; oc < outputs; oc++) {
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++, o++) {
            for (let ic = 0; ic < inputs; ic++) {
              for (let y = 0; y < kh; y++) {
                const iy = row * stride - padding + y;
                if (iy < 0 || iy >= height) continue;
                for (let x = 0; x < kw; x++) {
                  const ix = column * stride - padding + x;
                  if (ix < 0 || ix >= width) continue;
                  visit(
                    o,
                    ((image * inputs + ic) * height + iy) * width + ix,
                    ((oc * inputs + ic) * kh + y) * kw + x,
                  );
                }
              }
            }
          }
        }
      }
    }
  };
  const channel = (o: number) => Math.floor(o / (rows * columns)) % outputs;
  if (bias) {
    for (let o = 0; o < output.data.length; o++) {
      output.data[o] = bias.data[channel(o)]!;
    }
  }
  products((o, i, w) => output.data[o]! += input.data[i]! * weight.data[w]!);
  return {
    output,
    backward: (dOutput) => {
      const dInput = new Float64Array(input.data.length);
      const dWeight = new Float64Array(weight.data.length);
      const dBias = new Float64Array(outputs);
      products((o, i, w) => {
        dInput[i]! += dOutput[o]! * weight.data[w]!;
        dWeight[w]! += dOutput[o]! * input.data[i]!;
      });
      dOutput.forEach((d, o) => dBias[channel(o)]! += d);
      return { input: dInput, weight: dWeight, bias: dBias };
    },
  };
}

export function maxPool2d(
  input: Array64,
  kernel: number,
  { stride, padding }: Windows,
): Computed<"input"> {
  const [n, channels, height, width] = dimensions(input);
  const rows = Math.floor((height + 2 * padding - kernel) / stride) + 1;
  const columns = Math.floor((width + 2 * padding - kernel) / stride) + 1;
  const output = array64([n, channels, rows, columns]);
  const chosen = new Int32Array(output.data.length);
  for (let o = 0; o < output.data.length; o++) {
    const plane = Math.floor(o / (rows * columns));
    const row = Math.floor(o / columns) % rows;
    const column = o % columns;
    let best = -1;
    for (let y = row * stride - padding, i = 0; i < kernel; i++, y++) {
      for (let x = column * stride - padding, j = 0; j < kernel; j++, x++) {
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        const at = (plane * height + y) * width + x;
        // NaN is larger than everything.
        const value = input.data[at]!;
        if (best < 0 || value > input.data[best]! || value !== value) best = at;
      }
    }
    chosen[o] = best;
    output.data[o] = input.data[best]!;
  }
  return {
    output,
    backward: (dOutput) => {
      const dInput = new Float64Array(input.data.length);
      dOutput.forEach((d, o) => dInput[chosen[o]!]! += d);
      return { input: dInput };
    },
  };
}

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

/** Labels of -1 are ignored. */
export function crossEntropy(
  logits: Array64,
  labels: Int32Array,
  smoothing: number,
): Computed<"input"> {
  const [n, classes] = dimensions(logits);
  const counted = labels.filter((label) => label >= 0).length;
  const gradient = new Float64Array(logits.data.length);
  let loss = 0;
  for (let row = 0; row < n; row++) {
    if (labels[row] === -1) continue;
    const values = logits.data.subarray(row * classes, (row + 1) * classes);
    const largest = Math.max(...values);
    const exponentials = values.map((x) => Math.exp(x - largest));
    const total = exponentials.reduce((sum, x) => sum + x, 0);
    for (let c = 0; c < classes; c++) {
      const target = smoothing / classes +
        (c === labels[row] ? 1 - smoothing : 0);
      loss += target * (Math.log(total) + largest - values[c]!) / counted;
      gradient[row * classes + c] = (exponentials[c]! / total - target) /
        counted;
    }
  }
  return {
    output: array64([1], [loss]),
    backward: (dOutput) => ({ input: gradient.map((g) => g * dOutput[0]!) }),
  };
}
