import { type MapProof, proveMap } from "../cam/prove_map.ts";
import type { FloatMap } from "../image/float_map.ts";
import { classifierOf } from "../nn/classifier_of.ts";
import type { Network } from "../nn/network.ts";
import { headWeights } from "./_head_weights.ts";

/** What the outputs of a network add to what comes from the last map. */
export interface Total {
  readonly bias: Float32Array;
}

/**
 * Whether a map of a node must add up to the logits without their biases: where
 * global average pooling reads it and nothing but a linear layer follows. There
 * the logit of class c is `bias_c + sum over k, p of w_ck f_k(p) / (h w)`.
 */
export function totalOf(network: Network, node: number): Total | undefined {
  if (classifierOf(network.graph)?.features !== node) return undefined;
  return { bias: headWeights(network).bias };
}

/**
 * Proves that a map's values add up to a weighted sum of logits, without their
 * biases.
 *
 * @param seed The weights.
 * @throws {GapcamError} If they do not.
 */
export function proveTotal(
  map: FloatMap,
  { total, logits, seed, tolerance }: {
    total: Total;
    logits: Float32Array;
    seed: Float32Array;
    tolerance: number;
  },
): MapProof {
  let bias = 0;
  let logit = 0;
  let size = 0;
  seed.forEach((v, j) => {
    bias += v * total.bias[j]!;
    logit += v * logits[j]!;
    size += Math.abs(v * logits[j]!) + Math.abs(v * total.bias[j]!);
  });
  const area = map.data.length;
  const data = map.data.map((value) => value * area);
  return proveMap({ ...map, data }, bias, logit, { tolerance, size });
}
