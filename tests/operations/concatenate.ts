import {
  type Array64,
  array64,
  type Case,
  type Computed,
  dimensions,
} from "./_case.ts";

export function concatenate(
  inputs: Record<string, Array64>,
): Computed<string> {
  const entries = Object.entries(inputs);
  const [n, , height, width] = dimensions(entries[0]![1]);
  const pixels = height * width;
  const channels = entries.map(([, { shape }]) => shape[1]!);
  const all = channels.reduce((sum, count) => sum + count, 0);
  const output = array64([n, all, height, width]);
  /** Calls visit(index of the input, its element, the output's) for each. */
  const elements = (visit: (i: number, own: number, whole: number) => void) => {
    let first = 0;
    channels.forEach((count, i) => {
      for (let image = 0; image < n; image++) {
        for (let at = 0; at < count * pixels; at++) {
          visit(
            i,
            image * count * pixels + at,
            (image * all + first) * pixels + at,
          );
        }
      }
      first += count;
    });
  };
  elements((i, own, whole) => {
    output.data[whole] = entries[i]![1].data[own]!;
  });
  return {
    output,
    backward: (dOutput) => {
      const gradients = entries.map(([, { data }]) =>
        new Float64Array(data.length)
      );
      elements((i, own, whole) => {
        gradients[i]![own] = dOutput[whole]!;
      });
      return Object.fromEntries(
        entries.map(([name], i) => [name, gradients[i]!]),
      );
    },
  };
}

export const cases: readonly Case[] = [
  [24, 13],
  [16, 16, 16],
  [3, 8, 5, 1],
  [1],
  [17, 3],
].map((channels) => ({
  name: `concatenate ${channels.join(" + ")} channels`,
  inputs: Object.fromEntries(
    channels.map((count, i) => [`input${i}`, [2, count, 5, 7]]),
  ),
  record: (program, tensors) => program.concatenate(Object.values(tensors)),
  compute: (arrays) => concatenate(arrays),
}));
