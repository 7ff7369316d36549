import { checkFloatMap, type FloatMap } from "./float_map.ts";
import { checkSize } from "./image.ts";

/**
 * Resizes a map of floats as `skimage.transform.resize` does with its
 * defaults: bilinear between pixel centres; outside the outermost centres the
 * map goes on as its mirror image (which differs from repeating the edge); and
 * when a side shrinks by a factor `f`, a Gaussian of standard deviation
 * `(f - 1) / 2` pixels is applied first.
 *
 * @param map The map.
 * @param height Rows of the result, at least 1.
 * @param width Columns of the result, at least 1.
 * @returns A new map, its values within the range of the old ones.
 * @throws {GapcamError} If the map does not hold what its sides say, or a side
 * is not a positive whole number.
 *
 * @example Two values become four
 * ```ts
 * import { resizeMap } from "@gapcam/gapcam/image";
 *
 * const map = { width: 2, height: 1, data: Float32Array.of(0, 1) };
 * const { data } = resizeMap(map, 1, 4);
 * if (data.join() !== "0.25,0.25,0.75,0.75") throw new Error(data.join());
 * ```
 */
export function resizeMap(
  map: FloatMap,
  height: number,
  width: number,
): FloatMap {
  checkFloatMap(map, "resize map");
  checkSize(height, width, "resize map");
  const smooth = smoothLines(
    smoothLines(map.data, map.height, map.width, {
      factor: map.height / height,
      stride: map.width,
    }),
    map.width,
    map.height,
    { factor: map.width / width, stride: 1 },
  );
  const rows = axis(map.height, height);
  const columns = axis(map.width, width);
  // Along columns once for each row that there is: every row of the result is of two of them.
  const wide = new Float64Array(map.height * width);
  for (let y = 0; y < map.height; y++) {
    const from = y * map.width, to = y * width;
    for (let x = 0; x < width; x++) {
      const u = columns.fraction[x]!;
      wide[to + x] = (1 - u) * smooth[from + columns.lower[x]!]! +
        u * smooth[from + columns.upper[x]!]!;
    }
  }
  const data = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const upper = rows.lower[y]! * width, below = rows.upper[y]! * width;
    const v = rows.fraction[y]!, rest = 1 - v;
    const to = y * width;
    for (let x = 0; x < width; x++) {
      data[to + x] = rest * wide[upper + x]! + v * wide[below + x]!;
    }
  }
  return { height, width, data };
}

/** Index `i` of a line that goes on as its mirror image about its end points. */
export function mirror(i: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const folded = ((i % period) + period) % period;
  return folded < length ? folded : period - folded;
}

/** For each output position its two neighbours and how near the second is. */
function axis(
  from: number,
  to: number,
): { lower: Int32Array; upper: Int32Array; fraction: Float64Array } {
  const lower = new Int32Array(to);
  const upper = new Int32Array(to);
  const fraction = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const position = (i + 0.5) * (from / to) - 0.5;
    const floor = Math.floor(position);
    lower[i] = mirror(floor, from);
    upper[i] = mirror(floor + 1, from);
    fraction[i] = position - floor;
  }
  return { lower, upper, fraction };
}

/** Applies the Gaussian along `length` values, `stride` apart, of each of `lines` lines. */
function smoothLines(
  data: Float32Array,
  length: number,
  lines: number,
  { factor, stride }: { factor: number; stride: number },
): Float32Array {
  const deviation = (factor - 1) / 2;
  if (!(deviation > 0)) return data;
  // Cut off at four standard deviations.
  const radius = Math.trunc(4 * deviation + 0.5);
  const kernel = Float64Array.from(
    { length: 2 * radius + 1 },
    (_, k) => Math.exp(-0.5 / (deviation * deviation) * (k - radius) ** 2),
  );
  const total = kernel.reduce((sum, weight) => sum + weight, 0);
  const target = new Float32Array(data.length);
  for (let line = 0; line < lines; line++) {
    const start = stride === 1 ? line * length : line;
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let k = -radius; k <= radius; k++) {
        const source = start + mirror(i + k, length) * stride;
        sum += data[source]! * kernel[k + radius]! / total;
      }
      target[start + i * stride] = sum;
    }
  }
  return target;
}
