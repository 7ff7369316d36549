import { checkImage, type Image } from "./image.ts";

/**
 * Makes an image RGB: grey becomes three equal channels, alpha is dropped (not
 * composited, as Pillow's `convert("RGB")`).
 *
 * @param image The image.
 * @returns A new image; the image itself if it is RGB already.
 * @throws {GapcamError} If the image does not hold what its sides say.
 *
 * @example A grey pixel
 * ```ts
 * import { toRgb } from "@gapcam/gapcam/image";
 *
 * const grey = { width: 1, height: 1, channels: 1, data: Uint8Array.of(7) } as const;
 * if (toRgb(grey).data.join() !== "7,7,7") throw new Error();
 * ```
 */
export function toRgb(image: Image): Image {
  checkImage(image, "make image RGB");
  const { width, height, channels, data } = image;
  if (channels === 3) return image;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    rgb[to] = data[from]!;
    rgb[to + 1] = channels === 1 ? data[from]! : data[from + 1]!;
    rgb[to + 2] = channels === 1 ? data[from]! : data[from + 2]!;
  }
  return { width, height, channels: 3, data: rgb };
}
