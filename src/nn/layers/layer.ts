import { GapcamError } from "../../error.ts";
import type { Activation, Clip, LeakyRelu } from "./activation.ts";
import type { AveragePool2d } from "./average_pool2d.ts";
import type { BatchNorm2d } from "./batch_norm2d.ts";
import type { ChannelShuffle, SliceChannels } from "./channels.ts";
import type { Conv2d } from "./conv2d.ts";
import type { Dropout, StochasticDepth } from "./dropout.ts";
import type { Flatten } from "./flatten.ts";
import type { GlobalAveragePool } from "./global_average_pool.ts";
import type { Join } from "./join.ts";
import type { Linear } from "./linear.ts";
import type { MaxPool2d } from "./max_pool2d.ts";

/** A layer that holds no others. */
export type Leaf =
  | Conv2d
  | LeakyRelu
  | Clip
  | Activation
  | BatchNorm2d
  | MaxPool2d
  | AveragePool2d
  | GlobalAveragePool
  | Flatten
  | Dropout
  | StochasticDepth
  | SliceChannels
  | ChannelShuffle
  | Linear;

/** Layers one after the other; see {@linkcode sequential}. */
export interface Sequential {
  /** Tells layers apart. */
  readonly kind: "sequential";
  /** Layers and their names, in order. */
  readonly layers: readonly (readonly [name: string, layer: Layer])[];
}

/** Several layers side by side that read the same; see {@linkcode branches}. */
export interface Branches {
  /** Tells layers apart. */
  readonly kind: "branches";
  /** How their outputs become one. */
  readonly join: Join["kind"];
  /**
   * Names and layers; null is the input itself. The name "" adds no segment to
   * the names of parameters.
   */
  readonly layers: readonly (readonly [name: string, layer: Layer | null])[];
}

/** Any layer: plain data, which {@linkcode Network} turns into a program. */
export type Layer = Leaf | Sequential | Branches;

/**
 * Chains layers. A list names them `0`, `1`, ... as PyTorch's `Sequential`; an
 * object names them by its keys.
 *
 * @param layers Layers in order, from 1.
 * @returns One layer, which others may hold.
 * @throws {GapcamError} If there is no layer, or a name has a dot or is empty;
 * the name of branches may be, and adds no segment to the names within them.
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
  for (const [name, layer] of named) {
    if (name === "" && layer.kind === "branches") continue;
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

/**
 * Puts layers side by side: each reads the same, and their outputs are joined.
 *
 * @param join `add`, `multiply` or `concatenate`.
 * @param layers Names and layers, from 2 (`concatenate`: from 1); null is the
 * input itself, and the name "" adds no segment to the names of parameters.
 * @returns One layer, which others may hold.
 * @throws {GapcamError} If there are too few layers, or a name has a dot.
 *
 * @example A residual block, named as torchvision names it
 * ```ts
 * import { branches, conv2d, parametersOf, relu, sequential } from "@gapcam/gapcam";
 *
 * const body = sequential({ conv1: conv2d(8, 8, { padding: 1 }), relu: relu() });
 * const block = branches("add", [["", body], ["downsample", null]]);
 * if (parametersOf(block)[0]?.name !== "conv1.weight") throw new Error();
 * ```
 */
export function branches(
  join: Join["kind"],
  layers: readonly (readonly [name: string, layer: Layer | null])[],
): Branches {
  const least = join === "concatenate" ? 1 : 2;
  if (layers.length < least || (join === "multiply" && layers.length > 2)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot ${join} ${layers.length} branches: expected ` +
        (join === "multiply" ? "two" : `at least ${least}`),
    );
  }
  for (const [name] of layers) {
    if (!name.includes(".")) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot name a branch ${JSON.stringify(name)}: a name has no dot`,
    );
  }
  return { kind: "branches", join, layers };
}

/**
 * A layer beside what it reads, and their sum (He et al. 2016).
 *
 * @param body The layer; its names stand alone.
 * @param shortcut What the input passes through. Default: nothing.
 * @returns Branches; the shortcut is called `downsample`, as torchvision has it.
 */
export function residual(body: Layer, shortcut: Layer | null = null): Branches {
  return branches("add", [["", body], ["downsample", shortcut]]);
}
