import { resizeWindow } from "./_resize_window.ts";
import { checkImage, checkSize, type Image } from "./image.ts";

/**
 * Resizes an image with a triangle filter, byte for byte as `Image.resize(...,
 * BILINEAR)` of Pillow up to 12: bilinear interpolation when enlarging, an
 * average over the pixels that shrink into one when shrinking.
 *
 * Two passes, first along rows, then along columns, each rounded to 8 bits.
 * Pillow 13 takes the columns first where that is less work. That moves some
 * values of grey and RGB images by a level; of an image with alpha, whose
 * colours are weighted by it, those that are nearly transparent by much more
 * (51 levels were seen), as a level of alpha then decides.
 *
 * @param image The image.
 * @param height Rows of the result, at least 1.
 * @param width Columns of the result, at least 1.
 * @returns A new image; the image itself if it has that size already.
 * @throws {GapcamError} If the image does not hold what its sides say, or a
 * side is not a positive whole number.
 *
 * @example Shrinking averages
 * ```ts
 * import { resizeBilinear } from "@gapcam/gapcam/image";
 *
 * const image = { width: 2, height: 1, channels: 1, data: Uint8Array.of(0, 100) } as const;
 * if (resizeBilinear(image, 1, 1).data[0] !== 50) throw new Error();
 * ```
 */
export function resizeBilinear(
  image: Image,
  height: number,
  width: number,
): Image {
  checkImage(image, "resize image");
  checkSize(height, width, "resize image");
  if (image.height === height && image.width === width) return image;
  const whole = { top: 0, left: 0, height, width };
  return resizeWindow(image, whole, {
    window: whole,
    interpolation: "bilinear",
  });
}
