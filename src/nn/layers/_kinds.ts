import { activationKind, clipKind, leakyReluKind } from "./activation.ts";
import { averagePool2dKind } from "./average_pool2d.ts";
import { batchNorm2dKind } from "./batch_norm2d.ts";
import { channelShuffleKind, sliceChannelsKind } from "./channels.ts";
import { conv2dKind } from "./conv2d.ts";
import { dropoutKind, stochasticDepthKind } from "./dropout.ts";
import { flattenKind } from "./flatten.ts";
import { globalAveragePoolKind } from "./global_average_pool.ts";
import { addKind, concatenateKind, type Join, multiplyKind } from "./join.ts";
import type { LayerKind } from "./_layer_kind.ts";
import type { Leaf } from "./layer.ts";
import { linearKind } from "./linear.ts";
import { maxPool2dKind } from "./max_pool2d.ts";

/** What a node of a graph does. */
export type NodeLayer = Leaf | Join;

/** Every kind of layer that a graph has, by name: to forget one does not compile. */
const KINDS: {
  readonly [K in NodeLayer["kind"]]: LayerKind<
    Extract<NodeLayer, { kind: K }>
  >;
} = {
  conv2d: conv2dKind,
  leakyRelu: leakyReluKind,
  clip: clipKind,
  sigmoid: activationKind("sigmoid"),
  silu: activationKind("silu"),
  hardSigmoid: activationKind("hardSigmoid"),
  hardSwish: activationKind("hardSwish"),
  gelu: activationKind("gelu"),
  batchNorm2d: batchNorm2dKind,
  maxPool2d: maxPool2dKind,
  averagePool2d: averagePool2dKind,
  globalAveragePool: globalAveragePoolKind,
  flatten: flattenKind,
  dropout: dropoutKind,
  stochasticDepth: stochasticDepthKind,
  sliceChannels: sliceChannelsKind,
  channelShuffle: channelShuffleKind,
  linear: linearKind,
  add: addKind,
  multiply: multiplyKind,
  concatenate: concatenateKind,
};

/** What is true of a layer's kind. */
export function kindOf<L extends NodeLayer>(layer: L): LayerKind<L> {
  return KINDS[layer.kind] as unknown as LayerKind<L>;
}

/** The kind of that name; undefined if there is none. */
export function kindNamed(name: string): LayerKind<NodeLayer> | undefined {
  return Object.hasOwn(KINDS, name)
    ? KINDS[name as NodeLayer["kind"]] as unknown as LayerKind<NodeLayer>
    : undefined;
}
