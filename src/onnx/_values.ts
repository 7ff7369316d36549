import type { Shape } from "../nn/layers/_layer_kind.ts";
import type { StoredTensor } from "../weights/stored_tensor.ts";

/**
 * The number of images of a batch where a file computes with shapes: whatever
 * is done to it, it stays free.
 */
export const BATCH = Infinity;

/** A value that is known when the file is read. */
export interface Constant {
  readonly constant: true;
  readonly shape: readonly number[];
  /** The values as numbers, where there are few: shapes, axes, scalars. */
  numbers(): readonly number[];
  /** Whether they are whole numbers, which are divided as such. */
  readonly integer: boolean;
  /** The values as the file has them; undefined where they were computed. */
  readonly tensor: StoredTensor | undefined;
}

/**
 * What operators did to a value that is no layer yet: together with the next
 * one it becomes a layer, or it is made one by itself.
 */
export type Pending =
  /** `scale * x + shift`. */
  | { readonly kind: "affine"; readonly scale: number; readonly shift: number }
  /** `clip(x + 3, 0, 6)`: six times a hard sigmoid. */
  | { readonly kind: "shifted6" }
  /** `x * clip(x + 3, 0, 6)`: six times a hard swish. */
  | { readonly kind: "hardSwish6" }
  /** [N, groups, C / groups, H, W]. */
  | { readonly kind: "grouped"; readonly groups: number }
  /** [N, C / groups, groups, H, W]. */
  | { readonly kind: "shuffled"; readonly groups: number }
  /** [N, H, W]: the only channel's dimension is gone. */
  | { readonly kind: "plane" }
  /** Zeros above, left, below and right. */
  | {
    readonly kind: "padded";
    readonly sides: readonly [number, number, number, number];
  };

/** A value that the network computes. */
export interface Computed {
  readonly constant: false;
  /** The node that makes it; -1 is the image. */
  readonly node: number;
  /** Without the batch, before what is pending. */
  readonly shape: Shape;
  readonly pending?: Pending;
  /** Whether the file has it as [N, H, W, C]; `shape` is [C, H, W] all the same. */
  readonly last?: boolean;
}

/** Any value of a graph. */
export type Value = Constant | Computed;

/** A constant of numbers, which are whole unless `integer` says otherwise. */
export function constantOf(
  numbers: readonly number[],
  options: { shape?: readonly number[]; integer?: boolean } = {},
): Constant {
  const { shape = [numbers.length], integer = true } = options;
  return {
    constant: true,
    shape,
    integer,
    numbers: () => numbers,
    tensor: undefined,
  };
}
