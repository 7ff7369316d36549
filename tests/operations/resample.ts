import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
  SHAPES,
} from "./_case.ts";
import { conv2d } from "./conv2d.ts";

/** Has no gradient. */
export function resample(
  input: Array64,
  rows: Array64,
  columns: Array64,
): Computed<never> {
  const [n, channels, height, width] = dimensions(input);
  const [outputHeight] = rows.shape as [number];
  const [, outputWidth] = columns.shape as [number, number];
  const output = array64([n, channels, outputHeight, outputWidth]);
  for (let plane = 0; plane < n * channels; plane++) {
    for (let y = 0; y < outputHeight; y++) {
      for (let x = 0; x < outputWidth; x++) {
        let sum = 0;
        for (let i = 0; i < height; i++) {
          for (let j = 0; j < width; j++) {
            sum += rows.data[y * height + i]! *
              input.data[(plane * height + i) * width + j]! *
              columns.data[j * outputWidth + x]!;
          }
        }
        output.data[(plane * outputHeight + y) * outputWidth + x] = sum;
      }
    }
  }
  return { output, backward: () => ({}) };
}

/** Of a map that the caller wrote, and between convolutions, which take other layouts. */
function resamples(shapes: readonly (readonly number[])[]): Case[] {
  return shapes.flatMap((shape): Case[] => {
    const [, channels, height, width] = shape as [
      number,
      number,
      number,
      number,
    ];
    const rows = [height + 2, height];
    const columns = [width, 2 * width];
    const out = channels + 1;
    return [
      {
        name: `resample ${shape.join("x")}`,
        inputs: { input: shape, rows, columns },
        forwardOnly: true,
        record: (program, { input, rows, columns }) =>
          program.resample(input!, rows!, columns!),
        compute: ({ input, rows, columns }) =>
          resample(input!, rows!, columns!),
      },
      {
        name: `resample ${shape.join("x")} between convolutions`,
        inputs: {
          input: shape,
          before: [out, channels, 1, 1],
          after: [channels, out, 3, 3],
          rows,
          columns,
        },
        forwardOnly: true,
        record: (program, { input, before, after, rows, columns }) =>
          program.conv2d(
            program.resample(program.conv2d(input!, before!), rows!, columns!),
            after!,
            { padding: 1 },
          ),
        compute: ({ input, before, after, rows, columns }) => ({
          ...conv2d(
            resample(
              conv2d(input!, before!, undefined, { stride: 1, padding: 0 })
                .output,
              rows!,
              columns!,
            ).output,
            after!,
            undefined,
            { stride: 1, padding: 1 },
          ),
          backward: () => ({}),
        }),
      },
    ];
  });
}

export const cases: readonly Case[] = resamples(SHAPES);
