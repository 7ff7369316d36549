import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
} from "./_case.ts";

interface Averaging {
  kernel: number;
  stride: number;
  padding: number;
  /** Behind the map; as before it if left out. */
  after?: number;
  ceilMode?: boolean;
  countIncludePad?: boolean;
}

/** How many windows there are along one direction, as PyTorch counts them. */
export function windowCount(
  size: number,
  { kernel, stride, padding, after = padding, ceilMode = false }: Averaging,
): number {
  const steps = (size + padding + after - kernel) / stride;
  if (!ceilMode) return Math.floor(steps) + 1;
  const count = Math.ceil(steps) + 1;
  return (count - 1) * stride >= size + padding ? count - 1 : count;
}

export function averagePool2d(
  input: Array64,
  options: Averaging,
): Computed<"input"> {
  const { kernel, stride, padding, after = padding, countIncludePad = true } =
    options;
  const [n, channels, height, width] = dimensions(input);
  const rows = windowCount(height, options);
  const columns = windowCount(width, options);
  const output = array64([n, channels, rows, columns]);
  /** Calls visit(output index, input index, weight) for each. */
  const elements = (visit: (o: number, i: number, weight: number) => void) => {
    for (let o = 0; o < output.data.length; o++) {
      const plane = Math.floor(o / (rows * columns));
      const top = Math.floor(o / columns) % rows * stride - padding;
      const left = o % columns * stride - padding;
      const pixels: number[] = [];
      for (let y = Math.max(top, 0); y < Math.min(top + kernel, height); y++) {
        for (
          let x = Math.max(left, 0);
          x < Math.min(left + kernel, width);
          x++
        ) {
          pixels.push((plane * height + y) * width + x);
        }
      }
      const divisor = countIncludePad
        ? (Math.min(top + kernel, height + after) - top) *
          (Math.min(left + kernel, width + after) - left)
        : pixels.length;
      for (const pixel of pixels) visit(o, pixel, 1 / divisor);
    }
  };
  elements((o, i, weight) => output.data[o]! += weight * input.data[i]!);
  return {
    output,
    backward: (dOutput) => {
      const dInput = new Float64Array(input.data.length);
      elements((o, i, weight) => dInput[i]! += weight * dOutput[o]!);
      return { input: dInput };
    },
  };
}

const windows: readonly Averaging[] = [
  { kernel: 2, stride: 2, padding: 0 },
  { kernel: 3, stride: 2, padding: 1 },
  { kernel: 3, stride: 1, padding: 1, countIncludePad: false },
  { kernel: 3, stride: 2, padding: 0, ceilMode: true },
  { kernel: 4, stride: 3, padding: 2, ceilMode: true },
  { kernel: 3, stride: 3, padding: 1, ceilMode: true, countIncludePad: false },
  { kernel: 3, stride: 2, padding: 0, after: 1 },
  { kernel: 4, stride: 3, padding: 2, after: 1, ceilMode: true },
  { kernel: 3, stride: 1, padding: 1, after: 0, countIncludePad: false },
];

export const cases: readonly Case[] = [
  [1, 1, 4, 4],
  [3, 5, 7, 9],
  [1, 17, 12, 10],
  [2, 16, 13, 11],
].flatMap((shape) =>
  windows.map((options) => ({
    name: `average_pool2d ${shape.join("x")}, ${JSON.stringify(options)}`,
    inputs: { input: shape },
    record: (program, { input }) => {
      const { padding, after = padding } = options;
      return program.averagePool2d(input!, options.kernel, {
        ...options,
        padding: [padding, padding, after, after],
      });
    },
    compute: ({ input }) => averagePool2d(input!, options),
  } satisfies Case))
);
