import { leakyReluKind } from "./activation.ts";
import { batchNorm2dKind } from "./batch_norm2d.ts";
import { conv2dKind } from "./conv2d.ts";
import { globalAveragePoolKind } from "./global_average_pool.ts";
import type { LayerKind } from "./_layer_kind.ts";
import type { Leaf } from "./layer.ts";
import { linearKind } from "./linear.ts";
import { maxPool2dKind } from "./max_pool2d.ts";

/** Every kind of layer that a graph has, by name: to forget one does not compile. */
const KINDS: {
  readonly [K in Leaf["kind"]]: LayerKind<Extract<Leaf, { kind: K }>>;
} = {
  conv2d: conv2dKind,
  leakyRelu: leakyReluKind,
  batchNorm2d: batchNorm2dKind,
  maxPool2d: maxPool2dKind,
  globalAveragePool: globalAveragePoolKind,
  linear: linearKind,
};

/** What is true of a layer's kind. */
export function kindOf<L extends Leaf>(layer: L): LayerKind<L> {
  return KINDS[layer.kind] as unknown as LayerKind<L>;
}

/** The kind of that name; undefined if there is none. */
export function kindNamed(name: string): LayerKind<Leaf> | undefined {
  return Object.hasOwn(KINDS, name)
    ? KINDS[name as Leaf["kind"]] as unknown as LayerKind<Leaf>
    : undefined;
}
