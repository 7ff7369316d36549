import type { Padding2d, Size2d } from "../../device/size2d.ts";
import { GapcamError } from "../../error.ts";

/** Padding as layers hold it: for both sides alike, or for each side. */
export type HeldPadding = Exclude<Padding2d, number>;

/**
 * `same`: as many pixels, at most one more below and right than above and left,
 * that a map of size S gives ceil(S / stride) windows (TensorFlow's SAME).
 */
export type AnyPadding = HeldPadding | "same";

/** A whole number of at least `least`, or an error that names it. */
export function whole(name: string, value: number, least = 1): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new GapcamError(
    "invalid-argument",
    `Cannot describe a layer: ${name} is ${value}, expected a whole number ` +
      `of at least ${least}`,
  );
}

/** One or two whole numbers of at least `least`, as height and width. */
export function pair(
  name: string,
  size: Size2d,
  least: number,
): [number, number] {
  const [height, width] = typeof size === "number" ? [size, size] : size;
  whole(name, height, least);
  whole(name, width, least);
  return [height, width];
}

/** Padding as it is described: two numbers where they do. */
export function paddingOf(name: string, padding: Padding2d): HeldPadding {
  if (typeof padding === "number" || padding.length === 2) {
    return pair(name, padding, 0);
  }
  for (const size of padding) whole(name, size, 0);
  const [top, left, bottom, right] = padding;
  return top === bottom && left === right ? [top, left] : padding;
}

/** Padding of a pool, at most half the kernel: a window is to see the map. */
export function poolPaddingOf(
  what: string,
  padding: Padding2d | "same",
  kernel: readonly [number, number],
): AnyPadding {
  if (padding === "same") return padding;
  const held = paddingOf("padding", padding);
  if (held.some((size, i) => 2 * size > kernel[i % 2]!)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot describe ${what}: padding is ${held.join(" x ")}, expected at ` +
        `most half the kernel size ${kernel.join(" x ")}`,
    );
  }
  return held;
}

/** Padding above, left, below and right. */
export function sidesOf(
  padding: AnyPadding,
  window: {
    readonly kernelSize: readonly [number, number];
    readonly stride: readonly [number, number];
    readonly dilation?: readonly [number, number];
    readonly size: readonly [number, number];
  },
): readonly [top: number, left: number, bottom: number, right: number] {
  if (padding !== "same") return fixedSidesOf(padding);
  const { kernelSize, stride, dilation = [1, 1], size } = window;
  const [rows, columns] = ([0, 1] as const).map((i) => {
    const windows = Math.ceil(size[i] / stride[i]);
    const extent = dilation[i] * (kernelSize[i] - 1) + 1;
    return Math.max(0, (windows - 1) * stride[i] + extent - size[i]);
  }) as [number, number];
  const top = Math.floor(rows / 2);
  const left = Math.floor(columns / 2);
  return [top, left, rows - top, columns - left];
}

/** Padding that is described by numbers, above, left, below and right. */
export function fixedSidesOf(
  padding: HeldPadding,
): readonly [top: number, left: number, bottom: number, right: number] {
  return padding.length === 4 ? padding : [...padding, ...padding];
}
