import { GapcamError } from "../error.ts";
import { checkFloatMap, type FloatMap } from "../image/float_map.ts";

/** What {@linkcode proveMap} found. */
export interface MapProof {
  /** The logit that the device computed. */
  readonly logit: number;
  /** The logit that the map gives: its mean plus the bias. */
  readonly reconstructed: number;
  /** `|logit - reconstructed| / max(|logit|, mean of |map| + |bias|)`. */
  readonly residual: number;
  /** The residual that was allowed. */
  readonly tolerance: number;
}

/**
 * Proves that a map belongs to a logit. With global average pooling and a
 * linear layer, the logit is the class's bias plus the mean of its raw map, so
 * a wrong layer, wrong weights or wrong values show at once. What the mean
 * cannot show is where: a map whose places are shuffled has the same one, and
 * is for `provePlace` to find.
 *
 * The residual is relative to the size of what is summed, not to the logit
 * alone: a logit near zero is the small difference of large terms, and its own
 * size says nothing about rounding. It does not depend on the unit of the
 * features, and small logits are held to the same standard as large ones.
 *
 * @param map The raw map.
 * @param bias The class's bias.
 * @param logit The class's logit, as the device computed it.
 * @param options `tolerance`: the largest residual; 1e-4 if left out. `size`: what
 * is summed amounts to at least this much, where map and logit are differences of
 * larger ones; 0 if left out.
 * @returns The two logits and the residual.
 * @throws {GapcamError} If the residual is above the tolerance, or a value is
 * not finite.
 *
 * @example Mean 2, bias 1, logit 3
 * ```ts
 * import { proveMap } from "@gapcam/gapcam/cam";
 *
 * const map = { height: 1, width: 2, data: Float32Array.of(1, 3) };
 * if (proveMap(map, 1, 3).residual !== 0) throw new Error();
 * ```
 */
export function proveMap(
  map: FloatMap,
  bias: number,
  logit: number,
  options: { tolerance?: number; size?: number } = {},
): MapProof {
  checkFloatMap(map, "prove map");
  const { tolerance = 1e-4 } = options;
  let sum = 0;
  let size = 0;
  for (const value of map.data) {
    sum += value;
    size += Math.abs(value);
  }
  const reconstructed = sum / map.data.length + bias;
  const scale = Math.max(
    options.size ?? 0,
    Math.abs(logit),
    size / map.data.length + Math.abs(bias),
  );
  const difference = Math.abs(logit - reconstructed);
  const residual = difference === 0 ? 0 : difference / scale;
  if (!Number.isFinite(residual)) {
    throw new GapcamError(
      "bad-data",
      `Cannot prove the sum of the map: found logit ${logit} and ` +
        `${reconstructed} from the map, expected finite numbers`,
    );
  }
  if (!(residual <= tolerance)) {
    throw new GapcamError(
      "bad-data",
      `Cannot prove the sum of the map: found logit ${logit} but ${reconstructed} from the ` +
        `map, a residual of ${residual.toExponential(2)}, expected at most ` +
        `${tolerance}; check that features and weights are of the same network`,
    );
  }
  return { logit, reconstructed, residual, tolerance };
}
