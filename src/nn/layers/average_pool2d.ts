import type { Padding2d, Size2d } from "../../device/size2d.ts";
import { type AnyPadding, pair, poolPaddingOf, sidesOf } from "./_checks.ts";
import { type LayerKind, mapShape, windowsOf } from "./_layer_kind.ts";

/** Average pooling; see {@linkcode averagePool2d}. */
export interface AveragePool2d {
  /** Tells layers apart. */
  readonly kind: "averagePool2d";
  /** Height and width of a window. */
  readonly kernelSize: readonly [number, number];
  /** Rows and columns from one window to the next. */
  readonly stride: readonly [number, number];
  /**
   * Zeros added above and below, left and right; or above, left, below, right;
   * or `same`.
   */
  readonly padding: AnyPadding;
  /** Whether those zeros count among the values of a window. */
  readonly countIncludePad: boolean;
  /** Whether a last window may reach beyond the padding. */
  readonly ceilMode: boolean;
}

/**
 * Describes average pooling, as PyTorch's `AvgPool2d`.
 *
 * @param kernelSize Size of a window, from 1.
 * @param options `stride` (default: the kernel size), `padding` (0, at most
 * half the kernel size; four numbers: above, left, below, right; `same`: as
 * TensorFlow), `countIncludePad` (true), `ceilMode` (false).
 * @returns A layer from [N, C, H, W] to [N, C, rows, columns].
 * @throws {GapcamError} If a number is not whole, too small or too large.
 *
 * @example DenseNet halves its maps so
 * ```ts
 * import { averagePool2d, shapesOf } from "@gapcam/gapcam";
 *
 * const [shaped] = shapesOf(averagePool2d(2), [8, 56, 56]);
 * if (shaped?.outputShape.join() !== "8,28,28") throw new Error();
 * ```
 */
export function averagePool2d(
  kernelSize: Size2d,
  options: {
    stride?: Size2d;
    padding?: Padding2d | "same";
    countIncludePad?: boolean;
    ceilMode?: boolean;
  } = {},
): AveragePool2d {
  const kernel = pair("kernelSize", kernelSize, 1);
  return {
    kind: "averagePool2d",
    kernelSize: kernel,
    stride: pair("stride", options.stride ?? kernelSize, 1),
    padding: poolPaddingOf("average pooling", options.padding ?? 0, kernel),
    countIncludePad: options.countIncludePad ?? true,
    ceilMode: options.ceilMode ?? false,
  };
}

/** What is true of average pooling. */
export const averagePool2dKind: LayerKind<AveragePool2d> = {
  parse: (json) =>
    averagePool2d(json.pair("kernelSize"), {
      stride: json.pair("stride"),
      padding: json.anyPadding("padding"),
      countIncludePad: json.flag("countIncludePad"),
      ceilMode: json.value("ceilMode") === true,
    }),
  outputShape: (layer, [input]) => {
    const [channels] = mapShape(input);
    return [channels, ...windowsOf(layer, input)];
  },
  record: ({ kernelSize, ...layer }, { program, inputs }) =>
    program.averagePool2d(inputs[0], kernelSize, {
      ...layer,
      padding: sidesOf(layer.padding, {
        ...{ ...layer, kernelSize },
        size: inputs[0].shape.slice(2) as [number, number],
      }),
    }),
};
