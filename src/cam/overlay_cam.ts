import { GapcamError } from "../error.ts";
import type { FloatMap } from "../image/float_map.ts";
import type { Image } from "../image/image.ts";
import { overlay, type OverlayOptions } from "../image/overlay.ts";
import { resizeMap } from "../image/resize_map.ts";
import { normaliseMap } from "./normalise_map.ts";

/** How {@linkcode overlayCam} colours. */
export interface OverlayCamOptions extends OverlayOptions {
  /**
   * The raw values of the first and the last colour, such as `first` and `last`
   * of {@linkcode evidenceScale}; the map's own minimum and maximum if left out,
   * which makes every map glow, one without evidence too.
   */
  range?: readonly [first: number, last: number];
}

/**
 * Lays a raw class activation map over its image: scaled to `[0, 1]`, resized
 * to the image's size, coloured and mixed.
 *
 * @param image The image, of any size.
 * @param map The raw map, of any size.
 * @param options Range, share and name of the colour map.
 * @returns A new RGB image.
 * @throws {GapcamError} If a value is not finite, or an option is out of range.
 *
 * @example A map of four values over an image of 64 pixels
 * ```ts
 * import { overlayCam } from "@gapcam/gapcam/cam";
 *
 * const image = { width: 8, height: 8, channels: 1, data: new Uint8Array(64) } as const;
 * const map = { width: 2, height: 2, data: Float32Array.of(0, 1, 2, 3) };
 * if (overlayCam(image, map).channels !== 3) throw new Error();
 * ```
 */
export function overlayCam(
  image: Image,
  map: FloatMap,
  options: OverlayCamOptions = {},
): Image {
  const scaled = options.range
    ? scaledTo(map, options.range)
    : normaliseMap(map).map;
  return overlay(image, resizeMap(scaled, image.height, image.width), options);
}

function scaledTo(
  map: FloatMap,
  [first, last]: readonly [number, number],
): FloatMap {
  if (!(last > first && Number.isFinite(last - first))) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot colour map: found a range of ${first} to ${last}, expected two ` +
        `finite numbers, the first below the last`,
    );
  }
  normaliseMap(map); // Refuses what is not finite.
  const { height, width } = map;
  const data = map.data.map((value) => (value - first) / (last - first));
  return { height, width, data };
}
