import { GapcamError } from "../error.ts";
import { checkFloatMap, type FloatMap } from "../image/float_map.ts";

/** What {@linkcode normaliseMap} gives. */
export interface NormalisedMap {
  /** The map, from 0 to 1; all 0 if `constant`. */
  readonly map: FloatMap;
  /** The smallest raw value. */
  readonly minimum: number;
  /** The largest raw value. */
  readonly maximum: number;
  /** Whether all raw values are equal, so that there is nothing to see. */
  readonly constant: boolean;
}

/**
 * Scales a map to `[0, 1]`: minus its minimum, then divided by its maximum.
 *
 * @param map The raw map.
 * @returns The scaled map, and the range it had.
 * @throws {GapcamError} If a value is not finite.
 *
 * @example Values 2, 3 and 6
 * ```ts
 * import { normaliseMap } from "@gapcam/gapcam/cam";
 *
 * const raw = { height: 1, width: 3, data: Float32Array.of(2, 3, 6) };
 * const { map, maximum } = normaliseMap(raw);
 * if (map.data.join() !== "0,0.25,1" || maximum !== 6) throw new Error();
 * ```
 */
export function normaliseMap(map: FloatMap): NormalisedMap {
  checkFloatMap(map, "normalise map");
  let minimum = Infinity;
  let maximum = -Infinity;
  for (let i = 0; i < map.data.length; i++) {
    const value = map.data[i]!;
    if (!Number.isFinite(value)) {
      throw new GapcamError(
        "bad-data",
        `Cannot normalise map: found ${value} at row ` +
          `${Math.floor(i / map.width)}, column ${i % map.width}, ` +
          `expected finite numbers`,
      );
    }
    minimum = Math.min(minimum, value);
    maximum = Math.max(maximum, value);
  }
  const range = maximum - minimum;
  const data = range === 0
    ? new Float32Array(map.data.length)
    : map.data.map((value) => (value - minimum) / range);
  return {
    map: { height: map.height, width: map.width, data },
    minimum,
    maximum,
    constant: range === 0,
  };
}
