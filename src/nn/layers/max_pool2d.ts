import type { Padding2d, Size2d } from "../../device/size2d.ts";
import { type AnyPadding, pair, poolPaddingOf, sidesOf } from "./_checks.ts";
import { type LayerKind, mapShape, windowsOf } from "./_layer_kind.ts";

/** Max pooling; see {@linkcode maxPool2d}. */
export interface MaxPool2d {
  /** Tells layers apart. */
  readonly kind: "maxPool2d";
  /** Height and width of a window. */
  readonly kernelSize: readonly [number, number];
  /** Rows and columns from one window to the next. */
  readonly stride: readonly [number, number];
  /**
   * Pixels of minus infinity added above and below, left and right; or above,
   * left, below, right; or `same`.
   */
  readonly padding: AnyPadding;
  /** Whether a last window may reach beyond the padding. Default: false. */
  readonly ceilMode?: boolean;
}

/**
 * Describes max pooling.
 *
 * @param kernelSize Size of a window, from 1.
 * @param options `stride` (default: the kernel size), `padding` (0, at most
 * half the kernel size; four numbers: above, left, below, right; `same`: as
 * TensorFlow), `ceilMode` (false: windows do not reach beyond the
 * padding).
 * @returns A layer from [N, C, H, W] to [N, C, rows, columns].
 * @throws {GapcamError} If a number is not whole, too small or too large.
 *
 * @example Windows that overlap
 * ```ts
 * import { maxPool2d, shapesOf } from "@gapcam/gapcam";
 *
 * const [shaped] = shapesOf(
 *   maxPool2d(3, { stride: 2, padding: 1 }),
 *   [8, 16, 16],
 * );
 * if (shaped?.outputShape.join() !== "8,8,8") throw new Error();
 * ```
 */
export function maxPool2d(
  kernelSize: Size2d,
  options: {
    stride?: Size2d;
    padding?: Padding2d | "same";
    ceilMode?: boolean;
  } = {},
): MaxPool2d {
  const kernel = pair("kernelSize", kernelSize, 1);
  return {
    kind: "maxPool2d",
    kernelSize: kernel,
    stride: pair("stride", options.stride ?? kernelSize, 1),
    padding: poolPaddingOf("max pooling", options.padding ?? 0, kernel),
    ...(options.ceilMode ? { ceilMode: true } : {}),
  };
}

/** What is true of max pooling. */
export const maxPool2dKind: LayerKind<MaxPool2d> = {
  parse: (json) =>
    maxPool2d(json.pair("kernelSize"), {
      stride: json.pair("stride"),
      padding: json.anyPadding("padding"),
      ceilMode: json.value("ceilMode") === true,
    }),
  outputShape: (layer, [input]) => {
    const [channels] = mapShape(input);
    return [channels, ...windowsOf(layer, input)];
  },
  record: ({ kernelSize, ...layer }, { program, inputs }) =>
    program.maxPool2d(inputs[0], kernelSize, {
      ...layer,
      padding: sidesOf(layer.padding, {
        ...{ ...layer, kernelSize },
        size: inputs[0].shape.slice(2) as [number, number],
      }),
    }),
};
