import { GapcamError } from "../../error.ts";
import type { LeakyRelu } from "./activation.ts";
import type { BatchNorm2d } from "./batch_norm2d.ts";
import type { Conv2d } from "./conv2d.ts";
import type { GlobalAveragePool } from "./global_average_pool.ts";
import type { Linear } from "./linear.ts";
import type { MaxPool2d } from "./max_pool2d.ts";

/** A layer that holds no others. */
export type Leaf =
  | Conv2d
  | LeakyRelu
  | BatchNorm2d
  | MaxPool2d
  | GlobalAveragePool
  | Linear;

/** Layers one after the other; see {@linkcode sequential}. */
export interface Sequential {
  /** Tells layers apart. */
  readonly kind: "sequential";
  /** Layers and their names, in order. */
  readonly layers: readonly (readonly [name: string, layer: Layer])[];
}

/** Any layer: plain data, which {@linkcode Network} turns into a program. */
export type Layer = Leaf | Sequential;

/**
 * Chains layers. A list names them `0`, `1`, ... as PyTorch's `Sequential`; an
 * object names them by its keys.
 *
 * @param layers Layers in order, from 1.
 * @returns One layer, which others may hold.
 * @throws {GapcamError} If there is no layer, or a name is empty or has a dot.
 *
 * @example A small classifier that ends in global average pooling
 * ```ts
 * import {
 *   conv2d, globalAveragePool, linear, parametersOf, relu, sequential,
 * } from "@gapcam/gapcam";
 *
 * const model = sequential({
 *   features: sequential([conv2d(3, 8, { padding: 1 }), relu()]),
 *   pool: globalAveragePool(),
 *   classifier: linear(8, 10),
 * });
 * const names = parametersOf(model).map((parameter) => parameter.name);
 * if (names[0] !== "features.0.weight") throw new Error(names[0]);
 * ```
 */
export function sequential(
  layers: readonly Layer[] | Readonly<Record<string, Layer>>,
): Sequential {
  const named = Array.isArray(layers)
    ? layers.map((layer, i) => [String(i), layer] as const)
    : Object.entries(layers as Record<string, Layer>);
  if (named.length === 0) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot chain layers: the list is empty",
    );
  }
  for (const [name] of named) {
    if (name === "" || name.includes(".")) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot name a layer ${JSON.stringify(name)}: ` +
          "a name is not empty and has no dot",
      );
    }
  }
  return { kind: "sequential", layers: named };
}
