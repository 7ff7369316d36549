import { GapcamError } from "../error.ts";
import type { HostTensor } from "../host_tensor.ts";
import type { FloatMap } from "../image/float_map.ts";
import { rawMap } from "./raw_map.ts";

/** What one class has more than another, and how large what is subtracted is. */
export interface Contrast {
  /** The map of the one less that of the other. */
  readonly map: FloatMap;
  /** The one's row of the linear layer less the other's. */
  readonly weights: Float32Array;
  /** Size of the two maps' means and biases, for the proof of the sum. */
  readonly size: number;
  /** Size of the two weighted sums over places, for the proof of the places. */
  readonly placeSize: number;
}

/**
 * The difference of two classes' maps: the map of the difference of their rows,
 * as a map is linear in its weights. Its mean plus the difference of the biases
 * is the difference of the logits.
 */
export function contrastOf(
  { features, weight, bias, placeSums = [] }: {
    features: HostTensor;
    weight: HostTensor;
    bias: ArrayLike<number>;
    placeSums?: ArrayLike<number>;
  },
  classIndex: number,
  against: number,
): Contrast {
  if (classIndex === against) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot map class ${classIndex} against itself: expected two classes`,
    );
  }
  // Refuses a class that is none, and shapes that do not fit.
  const maps = [classIndex, against].map((index) =>
    rawMap(features, weight, index)
  );
  const channels = weight.shape[1]!;
  const row = (index: number) =>
    weight.data.subarray(index * channels, (index + 1) * channels);
  const [one, other] = [row(classIndex), row(against)];
  const weights = Float32Array.from(one, (value, k) => value - other[k]!);
  const size = maps.reduce((sum, { data }) => sum + meanSize(data), 0) +
    Math.abs(bias[classIndex]!) + Math.abs(bias[against]!);
  let placeSize = 0;
  for (let k = 0; k < placeSums.length; k++) {
    placeSize += (Math.abs(one[k]!) + Math.abs(other[k]!)) *
      Math.abs(placeSums[k]!);
  }
  const shape = [1, channels];
  const map = rawMap(features, { shape, data: weights }, 0);
  return { map, weights, size, placeSize };
}

function meanSize(values: Float32Array): number {
  return values.reduce((sum, value) => sum + Math.abs(value), 0) /
    values.length;
}
