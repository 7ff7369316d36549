import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
  type Windows,
} from "./_case.ts";

interface PoolWindows extends Windows {
  /** Behind the map; as before it if left out. */
  after?: number;
  ceilMode?: boolean;
}

/** Sides `padding` before and `after`, along both directions. */
export function maxPool2d(
  input: Array64,
  kernel: number,
  { stride, padding, after = padding, ceilMode = false }: PoolWindows,
): Computed<"input"> {
  const [n, channels, height, width] = dimensions(input);
  const [rows, columns] = [height, width].map((size) => {
    const steps = (size + padding + after - kernel) / stride;
    if (!ceilMode) return Math.floor(steps) + 1;
    const count = Math.ceil(steps) + 1;
    return (count - 1) * stride >= size + padding ? count - 1 : count;
  }) as [number, number];
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

function pools(): Case[] {
  const windows = [
    [2, 2, 0],
    [3, 2, 1],
    [3, 1, 1],
    [2, 3, 0],
    [1, 1, 0],
    [3, 3, 0],
    [3, 3, 1],
    [5, 2, 2],
    [17, 17, 8],
    [17, 17, 0],
  ] as const;
  const shapes = [
    [1, 1, 1, 1],
    [7, 3, 5, 7],
    [1, 17, 12, 12],
    [2, 5, 33, 31],
    [1, 2, 17, 34],
  ];
  return shapes.flatMap((shape) =>
    windows.filter(([kernel, , padding]) =>
      Math.min(shape[2]!, shape[3]!) + 2 * padding >= kernel
    ).flatMap(([kernel, stride, padding]) =>
      [false, true].map((ties) => ({
        name: `max_pool2d ${shape.join("x")}, kernel ${kernel} stride ` +
          `${stride} padding ${padding}${ties ? ", ties" : ""}`,
        inputs: { input: shape },
        ties,
        record: (program, { input }) =>
          program.maxPool2d(input!, kernel, { stride, padding }),
        compute: ({ input }) => maxPool2d(input!, kernel, { stride, padding }),
      } satisfies Case))
    )
  );
}

/** Rounded up, and padded differently before and behind. */
const uneven = [
  [3, { stride: 2, padding: 0, ceilMode: true }],
  [2, { stride: 2, padding: 0, ceilMode: true }],
  [2, { stride: 3, padding: 1, ceilMode: true }],
  [3, { stride: 2, padding: 0, after: 1 }],
  [2, { stride: 1, padding: 0, after: 1 }],
  [5, { stride: 3, padding: 2, after: 1, ceilMode: true }],
] as const satisfies readonly (readonly [number, PoolWindows])[];

export const cases: readonly Case[] = [
  ...pools(),
  ...[[1, 1, 2, 3], [2, 13, 5, 7], [1, 17, 12, 12]].flatMap((shape) =>
    uneven.map(([kernel, window]): Case => {
      const { stride, padding, after = padding, ceilMode = false } =
        window as PoolWindows;
      return {
        name: `max_pool2d ${shape.join("x")}, kernel ${kernel} ` +
          JSON.stringify(window),
        inputs: { input: shape },
        record: (program, { input }) =>
          program.maxPool2d(input!, kernel, {
            stride,
            padding: [padding, padding, after, after],
            ceilMode,
          }),
        compute: ({ input }) => maxPool2d(input!, kernel, window),
      };
    })
  ),
];
