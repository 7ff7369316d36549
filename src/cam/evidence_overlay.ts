import type { ColormapName } from "../image/colormap.ts";
import type { Region } from "../image/fit_image.ts";
import type { FloatMap } from "../image/float_map.ts";
import { checkImage, type Image } from "../image/image.ts";
import { overlay } from "../image/overlay.ts";
import { type EvidenceScale, evidenceScale } from "./evidence_scale.ts";
import { overlayCam } from "./overlay_cam.ts";
import { drawBox } from "./_draw_box.ts";
import { overRegion } from "./_over_region.ts";

/** How {@linkcode evidenceOverlay} colours. */
export interface EvidenceOptions {
  /**
   * Whether evidence against the class has colours too, on a scale that is
   * symmetric about zero; false if left out.
   */
  signed?: boolean;
  /** The greatest absolute value of maps that this one is compared with. */
  peak?: number;
  /**
   * The least value of the last colour; 1 if left out, a unit of the logit. 0 for
   * a map in units of its own.
   */
  unit?: number;
  /** Share of the colours, in `[0, 1]`; 0.6 if left out, 0.75 if signed. */
  alpha?: number;
  /** Which colours; `"inferno"` if left out, `"bwr"` if signed. */
  colormap?: ColormapName;
  /**
   * The part of the image that the network looked at, such as `fitRegion`
   * gives; all if left out.
   */
  region?: Region;
  /** A box to draw, such as `evidenceBox` gives, in pixels of the image. */
  box?: Region;
}

/** Options of a person's picture with all that was left out. */
export function evidenceColours(
  options: EvidenceOptions,
): { alpha: number; colormap: ColormapName; fade: boolean } {
  const { signed = false } = options;
  return {
    alpha: options.alpha ?? (signed ? 0.75 : 0.6),
    colormap: options.colormap ?? (signed ? "bwr" : "inferno"),
    fade: signed,
  };
}

/**
 * Lays the evidence for a class over its image, on a scale that is anchored at
 * zero ({@linkcode evidenceScale}): where nothing speaks for the class, nothing
 * glows. A map that is the same everywhere colours nothing. What lies outside
 * the region that the network looked at is dark, with a thin line around the
 * region.
 *
 * @param image The image, of any size.
 * @param map The raw map, of any size, in units of the logit.
 * @param options Scale, colours and region.
 * @returns A new RGB image.
 * @throws {GapcamError} If a value is not finite, or an option is out of range.
 *
 * @example No evidence, no colours: the image is only dark
 * ```ts
 * import { evidenceOverlay } from "@gapcam/gapcam";
 *
 * const image = { width: 2, height: 1, channels: 1, data: Uint8Array.of(200, 200) } as const;
 * const map = { width: 2, height: 1, data: Float32Array.of(-3, -9) };
 * const { data } = evidenceOverlay(image, map);
 * if (data.some((level) => level > 100)) throw new Error();
 * ```
 */
export function evidenceOverlay(
  image: Image,
  map: FloatMap,
  options: EvidenceOptions = {},
): Image {
  checkImage(image, "overlay map");
  const { box, ...rest } = options;
  const picture = painted(image, map, rest);
  if (box) drawBox(picture, box);
  return picture;
}

function painted(
  image: Image,
  map: FloatMap,
  options: EvidenceOptions,
): Image {
  const scale = evidenceScale(map, options);
  const { height, width } = image;
  // A map that gets smaller is smoothed on the way, which takes all of it.
  const grows = height >= map.height && width >= map.width;
  const region = options.region ??
    (grows ? { top: 0, left: 0, height, width } : undefined);
  if (!region) return coloured(image, map, { ...options, scale });
  // Checks the options, on an image of one pixel.
  coloured(ONE_PIXEL, map, { ...options, scale });
  const { alpha, colormap, fade } = evidenceColours(options);
  return overRegion(image, map, {
    region,
    colormap,
    fade,
    // A map without evidence colours nothing.
    ...(scale.flat
      ? { alpha: 0, range: [0, 1] as const }
      : { alpha, range: [scale.first, scale.last] as const }),
  });
}

const ONE_PIXEL: Image = {
  width: 1,
  height: 1,
  channels: 1,
  data: Uint8Array.of(0),
};

function coloured(
  image: Image,
  map: FloatMap,
  options: EvidenceOptions & { scale: EvidenceScale },
): Image {
  const { scale } = options;
  const { alpha, colormap, fade } = evidenceColours(options);
  if (scale.flat) {
    // Checks the options; a share of 0 leaves the image as it is.
    overlayCam(image, map, { alpha, colormap });
    return overlay(image, {
      height: image.height,
      width: image.width,
      data: new Float32Array(image.height * image.width),
    }, { alpha: 0 });
  }
  const range = [scale.first, scale.last] as const;
  return overlayCam(image, map, { alpha, colormap, fade, range });
}
