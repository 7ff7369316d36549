import { checkImage, type Image } from "./image.ts";
import { toRgb } from "./to_rgb.ts";

/**
 * Makes an image grey by ITU-R BT.601's weights, as Pillow's `convert("L")`;
 * alpha is dropped.
 *
 * @param image The image.
 * @returns A new image of one channel; the image itself if it has one already.
 * @throws {GapcamError} If the image does not hold what its sides say.
 *
 * @example A pure red
 * ```ts
 * import { toGrey } from "@gapcam/gapcam/image";
 *
 * const red = { width: 1, height: 1, channels: 3, data: Uint8Array.of(255, 0, 0) } as const;
 * if (toGrey(red).data[0] !== 76) throw new Error();
 * ```
 */
export function toGrey(image: Image): Image {
  checkImage(image, "make image grey");
  if (image.channels === 1) return image;
  const { height, width } = image;
  const { data } = toRgb(image);
  const grey = new Uint8Array(height * width);
  for (let i = 0; i < grey.length; i++) {
    grey[i] = (19595 * data[3 * i]! + 38470 * data[3 * i + 1]! +
      7471 * data[3 * i + 2]! + 0x8000) >> 16;
  }
  return { height, width, channels: 1, data: grey };
}
