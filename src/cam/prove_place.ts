import { GapcamError } from "../error.ts";
import { checkFloatMap, type FloatMap } from "../image/float_map.ts";
import { Random } from "../random.ts";

/** What {@linkcode provePlace} found. */
export interface PlaceProof {
  /** The weighted sum over places that the device's sums give. */
  readonly expected: number;
  /** The weighted sum over the map's places. */
  readonly reconstructed: number;
  /** `|expected - reconstructed|` beside the size of what is summed. */
  readonly residual: number;
  /** The residual that was allowed. */
  readonly tolerance: number;
}

const SEED = 0x706c6163;

/**
 * A weight for each place of a map, by which {@linkcode provePlace} tells places
 * apart: evenly spaced numbers in `(-1, 1)` whose sum is 0, in an order that
 * looks random and is always the same. No two are equal, and no order of rows or
 * columns is left in them.
 *
 * @param height Rows of the map, at least 1.
 * @param width Columns of the map, at least 1.
 * @returns `height * width` weights, row by row.
 *
 * @example No two places weigh the same
 * ```ts
 * import { placeWeights } from "@gapcam/gapcam/cam";
 *
 * if (new Set(placeWeights(14, 14)).size !== 196) throw new Error();
 * ```
 */
export function placeWeights(height: number, width: number): Float32Array {
  const count = height * width;
  const weights = Float32Array.from(
    { length: count },
    (_, i) => (2 * i + 1 - count) / count,
  );
  const random = new Random(SEED, height, width);
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(random.nextUint32() / 2 ** 32 * (i + 1));
    const kept = weights[i]!;
    weights[i] = weights[other]!;
    weights[other] = kept;
  }
  return weights;
}

/**
 * Proves that each value of a map stands at its place. The device sums each
 * channel of the features over places, each place with its own weight
 * ({@linkcode placeWeights}), in its own layout and before anything is read
 * back. The same weighted sum of the map must give the same number: a map that
 * is transposed, mirrored, shifted, shuffled, or has two places swapped does
 * not, though its mean, and so the logit of `proveMap`, is right.
 *
 * Not seen is what changes the sum by less than the tolerance: places of nearly
 * equal value, of which it does not matter which is which.
 *
 * @param map The raw map.
 * @param device `sums`: the weighted sum of each of K channels, as the device
 * computed it. `weights`: the K weights of the class's row of the linear layer.
 * @param options `tolerance`: the largest residual; 1e-4 if left out. `size`: what
 * is summed amounts to at least this much, where map and weights are differences
 * of larger ones; 0 if left out.
 * @returns The two sums and the residual.
 * @throws {GapcamError} If the residual is above the tolerance, a value is not
 * finite, or there are not as many sums as weights.
 *
 * @example Two places, swapped
 * ```ts
 * import { GapcamError } from "@gapcam/gapcam";
 * import { placeWeights, provePlace } from "@gapcam/gapcam/cam";
 *
 * const [a, b] = placeWeights(1, 2);
 * const device = { sums: [a! * 1 + b! * 3], weights: [1] };
 * provePlace({ height: 1, width: 2, data: Float32Array.of(1, 3) }, device);
 * try {
 *   provePlace({ height: 1, width: 2, data: Float32Array.of(3, 1) }, device);
 *   throw new Error("not reached");
 * } catch (error) {
 *   if (!(error instanceof GapcamError)) throw error;
 * }
 * ```
 */
export function provePlace(
  map: FloatMap,
  device: { sums: ArrayLike<number>; weights: ArrayLike<number> },
  options: { tolerance?: number; size?: number } = {},
): PlaceProof {
  checkFloatMap(map, "prove map");
  const { sums, weights } = device;
  const { tolerance = 1e-4 } = options;
  if (sums.length !== weights.length) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot prove map: found ${sums.length} sums over places for ` +
        `${weights.length} weights, expected as many`,
    );
  }
  let expected = 0;
  let size = 0;
  for (let k = 0; k < sums.length; k++) {
    expected += weights[k]! * sums[k]!;
    size += Math.abs(weights[k]! * sums[k]!);
  }
  let reconstructed = 0;
  let mapSize = 0;
  placeWeights(map.height, map.width).forEach((weight, i) => {
    reconstructed += weight * map.data[i]!;
    mapSize += Math.abs(weight * map.data[i]!);
  });
  const difference = Math.abs(expected - reconstructed);
  const residual = difference === 0 ? 0 : difference / Math.max(
    options.size ?? 0,
    Math.abs(expected),
    size,
    mapSize,
  );
  if (!Number.isFinite(residual)) {
    throw new GapcamError(
      "bad-data",
      `Cannot prove the places of the map: found ${expected} from the device ` +
        `and ${reconstructed} from the map, expected finite numbers`,
    );
  }
  if (!(residual <= tolerance)) {
    throw new GapcamError(
      "bad-data",
      `Cannot prove the places of the map: found a weighted sum of ` +
        `${expected} on the device but ${reconstructed} from the map, a ` +
        `residual of ${residual.toExponential(2)}, expected at most ` +
        `${tolerance}; check the layout in which features are read`,
    );
  }
  return { expected, reconstructed, residual, tolerance };
}
