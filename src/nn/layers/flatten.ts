import type { LayerKind } from "./_layer_kind.ts";

/** All of an image's values in one row; see {@linkcode flatten}. */
export interface Flatten {
  /** Tells layers apart. */
  readonly kind: "flatten";
}

/**
 * Describes a change of shape alone, as PyTorch's `Flatten`.
 *
 * @returns A layer from [N, C, H, W] to [N, C H W].
 *
 * @example In front of AlexNet's linear layers
 * ```ts
 * import { flatten, shapesOf } from "@gapcam/gapcam";
 *
 * const [shaped] = shapesOf(flatten(), [256, 6, 6]);
 * if (shaped?.outputShape.join() !== "9216") throw new Error();
 * ```
 */
export function flatten(): Flatten {
  return { kind: "flatten" };
}

/** What is true of flattening. */
export const flattenKind: LayerKind<Flatten> = {
  parse: () => flatten(),
  outputShape: (_, [input]) => [
    input.reduce((product, size) => product * size, 1),
  ],
  record: (_, { program, inputs }) => program.flatten(inputs[0]),
};
