import { GapcamError } from "../error.ts";
import { LISTED } from "./_listed_colormaps.ts";

/** The names that {@linkcode colormap} knows. */
export const COLORMAP_NAMES = [
  "jet",
  "grey",
  "hot",
  "viridis",
  "inferno",
  "magma",
  "plasma",
  "cividis",
  "turbo",
  "bwr",
  "RdBu_r",
] as const;

/** A name that {@linkcode colormap} knows. */
export type ColormapName = typeof COLORMAP_NAMES[number];

/** Corners of a piecewise-linear function on [0, 1]: position and value. */
type Corners = readonly (readonly [number, number])[];

// Red, green and blue as matplotlib's _cm.py defines them.
const SEGMENTED: Partial<Record<ColormapName, readonly Corners[]>> = {
  jet: [
    [[0, 0], [0.35, 0], [0.66, 1], [0.89, 1], [1, 0.5]],
    [[0, 0], [0.125, 0], [0.375, 1], [0.64, 1], [0.91, 0], [1, 0]],
    [[0, 0.5], [0.11, 1], [0.34, 1], [0.65, 0], [1, 0]],
  ],
  grey: [
    [[0, 0], [1, 1]],
    [[0, 0], [1, 1]],
    [[0, 0], [1, 1]],
  ],
  hot: [
    [[0, 0.0416], [0.365079, 1], [1, 1]],
    [[0, 0], [0.365079, 0], [0.746032, 1], [1, 1]],
    [[0, 0], [0.746032, 0], [1, 1]],
  ],
  bwr: [
    [[0, 0], [0.5, 1], [1, 1]],
    [[0, 0], [0.5, 1], [1, 0]],
    [[0, 1], [0.5, 1], [1, 0]],
  ],
  RdBu_r: reversedLevels([
    [103, 178, 214, 244, 253, 247, 209, 146, 67, 33, 5],
    [0, 24, 96, 165, 219, 247, 229, 197, 147, 102, 48],
    [31, 43, 77, 130, 199, 247, 240, 222, 195, 172, 97],
  ]),
};

const tables = new Map<ColormapName, Float64Array>();

/**
 * The 256 colours of a colour map, bit for bit those of matplotlib's map of
 * that name (`"grey"` is its `"gray"`).
 *
 * `"bwr"` and `"RdBu_r"` diverge: blue, white in the middle, red.
 *
 * @param name One of {@linkcode COLORMAP_NAMES}.
 * @returns 256 rows of red, green and blue in `[0, 1]`; shared, not to be
 * written to. A value `v` in `[0, 1]` has row `min(floor(256 * v), 255)`.
 * @throws {GapcamError} If there is no map of that name.
 *
 * @example Jet begins dark blue
 * ```ts
 * import { colormap } from "@gapcam/gapcam/image";
 *
 * if (colormap("jet").subarray(0, 3).join() !== "0,0,0.5") throw new Error();
 * ```
 */
export function colormap(name: ColormapName): Float64Array {
  let table = tables.get(name);
  if (!table) {
    const segments = Object.hasOwn(SEGMENTED, name) && SEGMENTED[name];
    if (segments) table = fromCorners(segments);
    else if (Object.hasOwn(LISTED, name)) {
      table = fromMillionths(LISTED[name as keyof typeof LISTED]);
    } else {
      throw new GapcamError(
        "invalid-argument",
        `Cannot colour map: found colormap ${JSON.stringify(name)}, ` +
          `expected ${COLORMAP_NAMES.join(", ")}`,
      );
    }
    tables.set(name, table);
  }
  return table;
}

function fromCorners(channels: readonly Corners[]): Float64Array {
  const table = new Float64Array(256 * 3);
  channels.forEach((corners, channel) => {
    for (let i = 0; i < 256; i++) {
      // matplotlib's order of operations, which decides the last bit.
      const at = 255 * (i === 255 ? 1 : i * (1 / 255));
      const next = Math.max(1, corners.findIndex(([x]) => x * 255 >= at));
      const [x0, y0] = corners[next - 1]!;
      const [x1, y1] = corners[next]!;
      const distance = (at - x0 * 255) / (x1 * 255 - x0 * 255);
      const value = i === 0
        ? y0
        : i === 255
        ? corners.at(-1)![1]
        : distance * (y1 - y0) + y0;
      table[i * 3 + channel] = Math.min(Math.max(value, 0), 1);
    }
  });
  return table;
}

/** Corners of evenly spaced 8-bit levels of each channel, last level first. */
function reversedLevels(channels: readonly number[][]): Corners[] {
  return channels.map((levels) =>
    levels.map((level, i) => {
      // matplotlib's way to the corner, which decides the last bit.
      const place = i === levels.length - 1 ? 1 : i * (1 / (levels.length - 1));
      return [1 - place, level / 255] as const;
    }).reverse()
  );
}

/** Unpacks base 64 of 24-bit big-endian numbers, each a colour in millionths. */
function fromMillionths(packed: string): Float64Array {
  const bytes = atob(packed);
  return Float64Array.from({ length: 256 * 3 }, (_, i) => {
    const number = bytes.charCodeAt(3 * i) * 65536 +
      bytes.charCodeAt(3 * i + 1) * 256 + bytes.charCodeAt(3 * i + 2);
    return number / 1e6;
  });
}
