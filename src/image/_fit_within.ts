import type { Image } from "./image.ts";
import { resizeBilinear } from "./resize_bilinear.ts";

/** An image brought to a longer side of so many pixels, in its proportions. */
export function fitWithin(image: Image, side: number): Image {
  const scale = side / Math.max(image.height, image.width);
  return resizeBilinear(
    image,
    Math.max(1, Math.round(scale * image.height)),
    Math.max(1, Math.round(scale * image.width)),
  );
}
