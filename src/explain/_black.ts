import type { ImageOptions } from "../nn/network.ts";

/** What each channel of a black pixel is once it is normalised. */
export function blackOf(
  { image, mean, deviation }: ImageOptions,
): Float32Array {
  const of = (values: readonly number[] | undefined, c: number) =>
    values === undefined ? 0.5 : values[c] ?? values[0]!;
  return Float32Array.from(
    { length: image.channels },
    (_, c) => -of(mean, c) / of(deviation, c),
  );
}
