/**
 * Pictures: reading and writing, resizing as Pillow does, colours, overlays and
 * grids.
 *
 * @module
 */

export { colormap, COLORMAP_NAMES, type ColormapName } from "./colormap.ts";
export { decodeImage, type DecodeOptions } from "./decode_image.ts";
export { encodePng, type PngOptions } from "./encode_png.ts";
export {
  fitImage,
  type FitOptions,
  fitRegion,
  type Region,
} from "./fit_image.ts";
export {
  fitPhotograph,
  type FittedPhotograph,
  PHOTOGRAPH_FITS,
  type PhotographFit,
  type PhotographOptions,
} from "./fit_photograph.ts";
export type { FloatMap } from "./float_map.ts";
export { grid, type GridOptions } from "./grid.ts";
export { checkImage, type Image } from "./image.ts";
export { overlay, type OverlayOptions } from "./overlay.ts";
export {
  type Interpolation,
  INTERPOLATIONS,
  type Preprocessing,
} from "./preprocessing.ts";
export { readImage } from "./read_image.ts";
export { resizeBilinear } from "./resize_bilinear.ts";
export { resizeMap } from "./resize_map.ts";
export { toGrey } from "./to_grey.ts";
export { toRgb } from "./to_rgb.ts";
