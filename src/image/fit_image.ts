import { GapcamError } from "../error.ts";
import { checkImage, checkSize, type Image } from "./image.ts";
import { resizeBilinear } from "./resize_bilinear.ts";

/**
 * Brings an image to a given size.
 *
 * With `"crop"`, as torchvision's `Resize` and `CenterCrop` do to a square: it
 * is resized until it just covers the target, and the middle is cut out; with
 * `"stretch"` both sides are resized and nothing is lost but the proportions.
 *
 * @param image The image.
 * @param height Rows of the result, at least 1.
 * @param width Columns of the result, at least 1.
 * @param options `fit`: `"crop"` (if left out) or `"stretch"`.
 * @returns A new image; the image itself if it has that size already.
 * @throws {GapcamError} If the image does not hold what its sides say, a side
 * is not a positive whole number, or there is no such fit.
 *
 * @example The middle of a wide picture
 * ```ts
 * import { fitImage } from "@gapcam/gapcam";
 *
 * const image = { width: 3, height: 1, channels: 1, data: Uint8Array.of(1, 2, 3) } as const;
 * if (fitImage(image, 1, 1).data.join() !== "2") throw new Error();
 * ```
 */
export function fitImage(
  image: Image,
  height: number,
  width: number,
  options: { fit?: "crop" | "stretch" } = {},
): Image {
  const { fit = "crop" } = options;
  checkImage(image, "fit image");
  checkSize(height, width, "fit image");
  if (fit !== "crop" && fit !== "stretch") {
    throw new GapcamError(
      "invalid-argument",
      `Cannot fit image: found fit ${JSON.stringify(fit)}, expected "crop" ` +
        `or "stretch"`,
    );
  }
  if (fit === "stretch") return resizeBilinear(image, height, width);
  // The side that decides gets its target length, the other one the length
  // that keeps the proportions, cut off to a whole number as torchvision does.
  const wide = image.width * height >= image.height * width;
  const covering = wide
    ? resizeBilinear(
      image,
      height,
      Math.max(width, Math.trunc(image.width * height / image.height)),
    )
    : resizeBilinear(
      image,
      Math.max(height, Math.trunc(image.height * width / image.width)),
      width,
    );
  return cropCentre(covering, height, width);
}

function cropCentre(image: Image, height: number, width: number): Image {
  if (image.height === height && image.width === width) return image;
  const { channels, data } = image;
  const top = roundHalfToEven((image.height - height) / 2);
  const left = roundHalfToEven((image.width - width) / 2);
  const rowLength = width * channels;
  const target = new Uint8Array(height * rowLength);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * channels;
    target.set(data.subarray(from, from + rowLength), y * rowLength);
  }
  return { width, height, channels, data: target };
}

/** Python's round(), which torchvision takes for the corner of the middle. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
