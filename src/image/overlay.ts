import { GapcamError } from "../error.ts";
import { colormap, type ColormapName } from "./colormap.ts";
import { checkFloatMap, type FloatMap } from "./float_map.ts";
import { checkImage, type Image } from "./image.ts";
import { toRgb } from "./to_rgb.ts";

/** How {@linkcode overlay} mixes. */
export interface OverlayOptions {
  /** Share of the colour map in the mix, in `[0, 1]`; 0.4 if left out. */
  alpha?: number;
  /** Which colours; `"jet"` if left out. */
  colormap?: ColormapName;
  /**
   * Whether the share grows with the distance from the middle of the colour
   * map, from 0 at value 0.5 to `alpha` at 0 and 1, so that the middle of a
   * diverging colour map leaves the image as it is; false if left out.
   */
  fade?: boolean;
}

/**
 * Lays a coloured map over an image: `(1 - alpha) * image + alpha * colour`,
 * rounded to the nearest of 256 levels.
 *
 * @param image The image; grey is repeated, alpha is dropped.
 * @param map Values in `[0, 1]`, of the image's height and width; what lies
 * outside gets the first or last colour.
 * @param options The share and the name of the colour map.
 * @returns A new RGB image.
 * @throws {GapcamError} If the sizes differ, if a value is not a number, if
 * alpha is outside `[0, 1]`, or if there is no such colour map.
 *
 * @example The hottest colour alone
 * ```ts
 * import { overlay } from "@gapcam/gapcam/image";
 *
 * const image = { width: 1, height: 1, channels: 1, data: Uint8Array.of(0) } as const;
 * const map = { width: 1, height: 1, data: Float32Array.of(1) };
 * if (overlay(image, map, { alpha: 1 }).data.join() !== "128,0,0") throw new Error();
 * ```
 */
export function overlay(
  image: Image,
  map: FloatMap,
  options: OverlayOptions = {},
): Image {
  checkImage(image, "overlay map");
  checkFloatMap(map, "overlay map");
  const { alpha = 0.4, colormap: name = "jet", fade = false } = options;
  if (!(alpha >= 0 && alpha <= 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot overlay map: found alpha ${alpha}, expected 0 to 1`,
    );
  }
  const { width, height } = image;
  if (map.width !== width || map.height !== height) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot overlay map: found a map of ${map.height}x${map.width}, ` +
        `expected ${height}x${width} as the image`,
    );
  }
  const nan = map.data.findIndex((value) => Number.isNaN(value));
  if (nan >= 0) {
    throw new GapcamError(
      "bad-data",
      `Cannot overlay map: found NaN at row ${Math.floor(nan / width)}, ` +
        `column ${nan % width}, expected numbers`,
    );
  }
  const pixels = toRgb(image).data;
  const data = new Uint8Array(pixels.length);
  mix(pixels, map.data, { target: data, colours: colormap(name), alpha, fade });
  return { width, height, channels: 3, data };
}

/**
 * Mixes colours into RGB pixels.
 *
 * @param values One in [0, 1] a pixel.
 */
export function mix(
  pixels: Uint8Array,
  values: Float32Array,
  options: {
    /** Where the mix goes; it may be `pixels`. */
    target: Uint8Array;
    colours: Float64Array;
    alpha: number;
    fade: boolean;
  },
): void {
  const { target, colours, alpha, fade } = options;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const row = Math.min(Math.max(Math.floor(value * 256), 0), 255);
    const share = fade ? alpha * Math.min(1, Math.abs(2 * value - 1)) : alpha;
    for (let c = 0; c < 3; c++) {
      target[3 * i + c] = Math.round(
        (1 - share) * pixels[3 * i + c]! + share * 255 * colours[3 * row + c]!,
      );
    }
  }
}
