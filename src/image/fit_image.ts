import { GapcamError } from "../error.ts";
import { type PixelWindow, resizeWindow } from "./_resize_window.ts";
import { checkImage, checkSize, type Image } from "./image.ts";

/**
 * Brings an image to a given size.
 *
 * With `"crop"`, as torchvision's `Resize` and `CenterCrop` do to a square: it
 * is resized until it just covers the target, and the middle is cut out (only
 * that is computed, so a line of pixels takes no gigabytes); with `"stretch"`
 * both sides are resized and nothing is lost but the proportions.
 * {@linkcode fitRegion} says which part that is.
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
  checkImage(image, "fit image");
  const { covering, middle } = place(image, { height, width }, options);
  if (image.height === height && image.width === width) return image;
  return resizeWindow(image, covering, middle);
}

/** A rectangle of a picture, in pixels of it, whole or not. */
export interface Region {
  /** Rows above it. */
  readonly top: number;
  /** Columns left of it. */
  readonly left: number;
  /** Its rows. */
  readonly height: number;
  /** Its columns. */
  readonly width: number;
}

/**
 * Says which part of an image {@linkcode fitImage} takes, exactly: the corner
 * is rounded after the image is resized, so that in pixels of the image it lies
 * between two. Whoever draws on the image what was seen in the fitted one
 * stretches it over this rectangle.
 *
 * @param image The image, or its sides alone.
 * @param height Rows that it is brought to, at least 1.
 * @param width Columns that it is brought to, at least 1.
 * @param options `fit`: `"crop"` (if left out) or `"stretch"`.
 * @returns The rectangle, within the image up to rounding.
 * @throws {GapcamError} If a side is not a positive whole number, or there is
 * no such fit.
 *
 * @example Between two pixels
 * ```ts
 * import { fitRegion } from "@gapcam/gapcam/image";
 *
 * // 9 x 6 becomes 6 x 4, of which columns 1 to 4 are taken.
 * const { left, width } = fitRegion({ height: 6, width: 9 }, 4, 4);
 * if (left !== 1.5 || width !== 6) throw new Error();
 * ```
 */
export function fitRegion(
  image: { readonly height: number; readonly width: number },
  height: number,
  width: number,
  options: { fit?: "crop" | "stretch" } = {},
): Region {
  checkSize(image.height, image.width, "fit image");
  const { covering, middle } = place(image, { height, width }, options);
  const down = image.height / covering.height;
  const across = image.width / covering.width;
  return {
    top: middle.top * down,
    left: middle.left * across,
    height: middle.height * down,
    width: middle.width * across,
  };
}

/** The size that an image is resized to, and the part of that which is kept. */
function place(
  image: { height: number; width: number },
  target: { height: number; width: number },
  options: { fit?: "crop" | "stretch" },
): { covering: { height: number; width: number }; middle: PixelWindow } {
  const { height, width } = target;
  const { fit = "crop" } = options;
  checkSize(height, width, "fit image");
  if (fit !== "crop" && fit !== "stretch") {
    throw new GapcamError(
      "invalid-argument",
      `Cannot fit image: found fit ${JSON.stringify(fit)}, expected "crop" ` +
        `or "stretch"`,
    );
  }
  if (fit === "stretch") {
    return { covering: target, middle: { top: 0, left: 0, ...target } };
  }
  // The side that decides gets its target length, the other one the length
  // that keeps the proportions, cut off to a whole number as torchvision does.
  const wide = image.width * height >= image.height * width;
  const covering = wide
    ? {
      height,
      width: Math.max(
        width,
        Math.trunc(image.width * height / image.height),
      ),
    }
    : {
      height: Math.max(
        height,
        Math.trunc(image.height * width / image.width),
      ),
      width,
    };
  return {
    covering,
    middle: {
      top: roundHalfToEven((covering.height - height) / 2),
      left: roundHalfToEven((covering.width - width) / 2),
      height,
      width,
    },
  };
}

/** Python's round(), which torchvision takes for the corner of the middle. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
