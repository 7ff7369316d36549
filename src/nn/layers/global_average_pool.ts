import { type LayerKind, mapShape } from "./_layer_kind.ts";

/** Mean over height and width; see {@linkcode globalAveragePool}. */
export interface GlobalAveragePool {
  /** Tells layers apart. */
  readonly kind: "globalAveragePool";
  /** Whether height and width stay, as 1. Default: false. */
  readonly keepDimensions?: boolean;
}

/**
 * Describes the mean over height and width.
 *
 * @param options `keepDimensions` (false): whether height and width stay.
 * @returns A layer from [N, C, H, W] to [N, C], or to [N, C, 1, 1].
 *
 * @example One number a channel
 * ```ts
 * import { globalAveragePool, shapesOf } from "@gapcam/gapcam";
 *
 * const [shaped] = shapesOf(globalAveragePool(), [8, 7, 7]);
 * if (shaped?.outputShape.join() !== "8") throw new Error();
 * ```
 */
export function globalAveragePool(
  options: { keepDimensions?: boolean } = {},
): GlobalAveragePool {
  return {
    kind: "globalAveragePool",
    ...(options.keepDimensions ? { keepDimensions: true } : {}),
  };
}

/** What is true of global average pooling. */
export const globalAveragePoolKind: LayerKind<GlobalAveragePool> = {
  parse: (json) =>
    globalAveragePool({
      keepDimensions: json.value("keepDimensions") === true,
    }),
  outputShape: ({ keepDimensions }, [input]) => {
    const [channels] = mapShape(input);
    return keepDimensions ? [channels, 1, 1] : [channels];
  },
  record: ({ keepDimensions = false }, { program, inputs }) =>
    program.globalAveragePool(inputs[0], { keepDimensions }),
};
