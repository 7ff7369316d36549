import type { PlaceProof } from "../cam/prove_place.ts";
import type { FloatMap } from "../image/float_map.ts";
import { resizeMap } from "../image/resize_map.ts";
import { worseOf } from "./_worse_of.ts";

/** A map and the proof of its places. */
export interface PlacedMap {
  readonly map: FloatMap;
  readonly place: PlaceProof;
}

/**
 * The mean of several layers' maps: the positive part of each, over its greatest
 * value, as large as the largest of them.
 */
export function meanOverLayers(maps: readonly PlacedMap[]): PlacedMap {
  const height = Math.max(...maps.map(({ map }) => map.height));
  const width = Math.max(...maps.map(({ map }) => map.width));
  const mean = new Float32Array(height * width);
  for (const { map } of maps) {
    const greatest = map.data.reduce((a, b) => Math.max(a, b), 0);
    if (greatest === 0) continue;
    const data = map.data.map((value) => Math.max(0, value) / greatest);
    const resized = resizeMap({ ...map, data }, height, width);
    resized.data.forEach((value, i) => mean[i]! += value / maps.length);
  }
  return {
    map: { height, width, data: mean },
    place: maps.map(({ place }) => place).reduce(worseOf),
  };
}
