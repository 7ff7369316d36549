import type { Dataset } from "../../data/dataset.ts";
import { GapcamError } from "../../error.ts";
import type { FloatMap } from "../../image/float_map.ts";
import { resizeMap } from "../../image/resize_map.ts";
import { rankCorrelation } from "./rank_correlation.ts";

/** The rank correlation of two maps; of different sizes on the smaller's grid. */
export function compareMaps(first: FloatMap, second: FloatMap): number {
  const height = Math.min(first.height, second.height);
  const width = Math.min(first.width, second.width);
  const [a, b] = [first, second].map((map) =>
    map.height === height && map.width === width
      ? map
      : resizeMap(map, height, width)
  );
  return rankCorrelation(a!.data, b!.data);
}

/** Throws unless all values of a method's map are numbers. */
export function assertFinite(
  map: FloatMap,
  { method, image, dataset }: {
    method: string;
    image: number;
    dataset: Dataset;
  },
): void {
  if (map.data.every(Number.isFinite)) return;
  throw new GapcamError(
    "bad-data",
    `Cannot examine ${method}: its map of image ${image} of ${dataset.name} ` +
      "holds what is not a finite number",
  );
}
