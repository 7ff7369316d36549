import { GapcamError } from "../error.ts";
import { checkSize } from "./image.ts";

/** One plane of 32-bit floats, such as a class activation map. */
export interface FloatMap {
  /** Values in a row. */
  readonly width: number;
  /** Number of rows. */
  readonly height: number;
  /** `height * width` values, row by row. */
  readonly data: Float32Array;
}

/** Checks that a map's sides and number of values fit together. */
export function checkFloatMap(map: FloatMap, action: string): void {
  checkSize(map.height, map.width, action);
  const length = map.height * map.width;
  if (map.data.length !== length) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot ${action}: found ${map.data.length} values, expected ${length} ` +
        `for a map of ${map.height}x${map.width}`,
    );
  }
}
