import { type LayerKind, mapShape } from "./_layer_kind.ts";

/** Mean over height and width; see {@linkcode globalAveragePool}. */
export interface GlobalAveragePool {
  /** Tells layers apart. */
  readonly kind: "globalAveragePool";
}

/**
 * Describes the mean over height and width.
 *
 * @returns A layer from [N, C, H, W] to [N, C].
 *
 * @example One number a channel
 * ```ts
 * import { globalAveragePool, shapesOf } from "@gapcam/gapcam";
 *
 * const [shaped] = shapesOf(globalAveragePool(), [8, 7, 7]);
 * if (shaped?.outputShape.join() !== "8") throw new Error();
 * ```
 */
export function globalAveragePool(): GlobalAveragePool {
  return { kind: "globalAveragePool" };
}

/** What is true of global average pooling. */
export const globalAveragePoolKind: LayerKind<GlobalAveragePool> = {
  parse: () => globalAveragePool(),
  outputShape: (_, [input]) => {
    const [channels] = mapShape(input);
    return [channels];
  },
  record: (_, { program, inputs }) => program.globalAveragePool(inputs[0]),
};
