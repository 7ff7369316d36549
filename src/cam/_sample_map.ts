import type { FloatMap } from "../image/float_map.ts";
import { mirror } from "../image/resize_map.ts";

/**
 * Samples a map that covers a frame of fractional pixels at the centres of a
 * box of whole pixels: bilinear between the map's centres, and beyond the
 * outermost ones its mirror image, as resizeMap() does.
 *
 * @param width Columns of the box.
 * @param frame Where the box's corner lies in the frame, and the frame's sides,
 * all in pixels of the box.
 * @returns What writes one of the box's rows to a target of `width` values.
 */
export function mapSampler(
  map: FloatMap,
  width: number,
  frame: { left: number; top: number; width: number; height: number },
): (y: number, target: Float32Array) => void {
  const columns = Array.from(
    { length: width },
    (_, x) => placeOf((x + 0.5 + frame.left) / frame.width, map.width),
  );
  return (y, target) => {
    const row = placeOf((y + 0.5 + frame.top) / frame.height, map.height);
    const upper = row.lower * map.width;
    const below = row.upper * map.width;
    const v = row.fraction;
    for (let x = 0; x < width; x++) {
      const { lower, upper: next, fraction: u } = columns[x]!;
      target[x] = (1 - v) * ((1 - u) * map.data[upper + lower]! +
            u * map.data[upper + next]!) +
        v * ((1 - u) * map.data[below + lower]! + u * map.data[below + next]!);
    }
  };
}

/** The two neighbours of a share of a line's length, and how near the second is. */
function placeOf(
  share: number,
  length: number,
): { lower: number; upper: number; fraction: number } {
  const at = share * length - 0.5;
  const floor = Math.floor(at);
  return {
    lower: mirror(floor, length),
    upper: mirror(floor + 1, length),
    fraction: at - floor,
  };
}
