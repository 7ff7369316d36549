import type { Size2d } from "../../device/size2d.ts";
import { GapcamError } from "../../error.ts";
import { pair } from "./_checks.ts";
import { type LayerKind, mapShape, windowsOf } from "./_layer_kind.ts";

/** Average pooling; see {@linkcode averagePool2d}. */
export interface AveragePool2d {
  /** Tells layers apart. */
  readonly kind: "averagePool2d";
  /** Height and width of a window. */
  readonly kernelSize: readonly [number, number];
  /** Rows and columns from one window to the next. */
  readonly stride: readonly [number, number];
  /** Zeros added above and below, left and right. */
  readonly padding: readonly [number, number];
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
 * half the kernel size), `countIncludePad` (true), `ceilMode` (false).
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
    padding?: Size2d;
    countIncludePad?: boolean;
    ceilMode?: boolean;
  } = {},
): AveragePool2d {
  const kernel = pair("kernelSize", kernelSize, 1);
  const padding = pair("padding", options.padding ?? 0, 0);
  if (padding.some((size, i) => 2 * size > kernel[i]!)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot describe average pooling: padding is ${padding.join(" x ")}, ` +
        `expected at most half the kernel size ${kernel.join(" x ")}`,
    );
  }
  return {
    kind: "averagePool2d",
    kernelSize: kernel,
    stride: pair("stride", options.stride ?? kernelSize, 1),
    padding,
    countIncludePad: options.countIncludePad ?? true,
    ceilMode: options.ceilMode ?? false,
  };
}

/** What is true of average pooling. */
export const averagePool2dKind: LayerKind<AveragePool2d> = {
  parse: (json) =>
    averagePool2d(json.pair("kernelSize"), {
      stride: json.pair("stride"),
      padding: json.pair("padding"),
      countIncludePad: json.flag("countIncludePad"),
      ceilMode: json.value("ceilMode") === true,
    }),
  outputShape: (layer, [input]) => {
    const [channels] = mapShape(input);
    return [channels, ...windowsOf(layer, input)];
  },
  record: ({ kernelSize, ...options }, { program, inputs }) =>
    program.averagePool2d(inputs[0], kernelSize, options),
};
