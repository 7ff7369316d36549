import { GapcamError } from "../../error.ts";
import { checkFloatMap, type FloatMap } from "../../image/float_map.ts";

/**
 * The places of a map from the greatest value to the least; of equal values the
 * one that comes first in reading order.
 *
 * @throws {GapcamError} If a value is not a number.
 */
export function placesByValue(map: FloatMap): Uint32Array {
  checkFloatMap(map, "rank the map");
  const { data } = map;
  if (data.some(Number.isNaN)) {
    throw new GapcamError(
      "bad-data",
      "Cannot rank the map's places: found what is not a number",
    );
  }
  // Infinities less each other are no number, which counts as equal.
  return Uint32Array.from(data.keys())
    .sort((a, b) => data[b]! - data[a]! || a - b);
}
