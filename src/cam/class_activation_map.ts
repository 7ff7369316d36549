import { GapcamError } from "../error.ts";
import type { FloatMap } from "../image/float_map.ts";
import type { HostTensor } from "../host_tensor.ts";
import { contrastOf } from "./_contrast.ts";
import { type MapProof, proveMap } from "./prove_map.ts";
import { type PlaceProof, provePlace } from "./prove_place.ts";
import { rawMap } from "./raw_map.ts";
import { indexOfGreatest } from "../_index_of_greatest.ts";

/** What {@linkcode classActivationMap} needs to know of one image. */
export interface ClassActivationMapInput {
  /** What global average pooling reads, [K, h, w]. */
  features: HostTensor;
  /** The linear layer's weight, [C, K]. */
  weight: HostTensor;
  /** The linear layer's bias, C values. */
  bias: ArrayLike<number>;
  /** What the device computed, C values. */
  logits: ArrayLike<number>;
  /**
   * The K channels of the features, each summed over its places with
   * `placeWeights` by the device; without them only the sum is proved.
   */
  placeSums?: ArrayLike<number>;
}

/** A class activation map and its proof. */
export interface ClassActivationMap {
  /** The class that the map explains. */
  readonly classIndex: number;
  /** The class whose map was subtracted, if one was. */
  readonly against?: number;
  /** The raw map, h x w. */
  readonly map: FloatMap;
  /** The logit, or the difference of two, and what the map says it should be. */
  readonly proof: MapProof;
  /**
   * The weighted sum over places that the device computed, and what the map says
   * it should be; undefined where the device computed none.
   */
  readonly place?: PlaceProof;
}

/**
 * Computes the class activation map of one image, and proves its sum against the
 * logit and its places against the device's sums over them.
 *
 * @param input Features, the linear layer, the logits and the sums over places.
 * @param options `classIndex`: the class to explain; that of the largest logit
 * if left out. `tolerance`: the largest residual of either proof; 1e-4 if left out.
 * `placeTolerance`: that of the places, where it is another. `against`: a class
 * whose map is subtracted; the mean of the difference plus the difference of the
 * biases is then that of the logits.
 * @returns The class, its raw map and the proof.
 * @throws {GapcamError} If the shapes do not fit together, a logit is not
 * finite, there is no such class, or the proof fails.
 *
 * @example One channel, two classes
 * ```ts
 * import { classActivationMap } from "@gapcam/gapcam/cam";
 *
 * const { classIndex, map } = classActivationMap({
 *   features: { shape: [1, 1, 2], data: Float32Array.of(1, 3) },
 *   weight: { shape: [2, 1], data: Float32Array.of(1, -1) },
 *   bias: [0, 0.5],
 *   logits: [2, -1.5],
 * });
 * if (classIndex !== 0 || map.data.join() !== "1,3") throw new Error();
 * ```
 */
export function classActivationMap(
  input: ClassActivationMapInput,
  options: {
    classIndex?: number;
    against?: number;
    tolerance?: number;
    placeTolerance?: number;
  } = {},
): ClassActivationMap {
  const { features, weight, bias, logits, placeSums } = input;
  const classes = weight.shape[0];
  if (bias.length !== classes || logits.length !== classes) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot map class: found ${bias.length} biases and ${logits.length} ` +
        `logits for weight [${weight.shape}], expected ${classes} of each`,
    );
  }
  const classIndex = options.classIndex ?? largest(logits);
  const { against } = options;
  const { tolerance = 1e-4, placeTolerance = tolerance } = options;
  const channels = weight.shape[1]!;
  const evidence = against === undefined
    ? {
      map: rawMap(features, weight, classIndex),
      weights: weight.data.subarray(
        classIndex * channels,
        (classIndex + 1) * channels,
      ),
      size: 0,
      placeSize: 0,
    }
    : contrastOf(input, classIndex, against);
  const { map, weights } = evidence;
  const less = (values: ArrayLike<number>) =>
    values[classIndex]! - (against === undefined ? 0 : values[against]!);
  const proof = proveMap(map, less(bias), less(logits), {
    tolerance,
    size: evidence.size,
  });
  const explained = {
    classIndex,
    ...(against === undefined ? {} : { against }),
    map,
    proof,
  };
  if (!placeSums) return explained;
  const place = provePlace(map, { sums: placeSums, weights }, {
    tolerance: placeTolerance,
    size: evidence.placeSize,
  });
  return { ...explained, place };
}

/** The class of the greatest logit; all must be numbers. */
function largest(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new GapcamError(
        "bad-data",
        `Cannot map class: found logit ${values[i]} of class ${i}, ` +
          `expected finite numbers`,
      );
    }
  }
  return indexOfGreatest(values);
}
