import { GapcamError } from "../error.ts";
import { canvasOf, paste } from "./_canvas.ts";
import { type PixelWindow, resizeWindow } from "./_resize_window.ts";
import { checkImage, checkSize, type Image } from "./image.ts";
import { type Interpolation, INTERPOLATIONS } from "./preprocessing.ts";
import { toGrey } from "./to_grey.ts";

/** How {@linkcode fitImage} brings an image to a size. */
export interface FitOptions {
  /**
   * `crop`: as much of the middle as has the target's proportions. `stretch`:
   * all, out of proportion. `pad`: all in proportion, with bars where the target
   * is longer. Default: `crop`.
   */
  fit?: "crop" | "stretch" | "pad";
  /** How it is resized. Default: `bilinear`. */
  interpolation?: Interpolation;
  /** Share of the shorter side that `crop` keeps, in (0, 1]. Default: 1. */
  cropShare?: number;
  /** Red, green and blue of the bars, in `[0, 255]`. Default: black. */
  padding?: readonly [number, number, number];
}

/**
 * Brings an image to a given size.
 *
 * With `"crop"`, as torchvision's `Resize` and `CenterCrop` do to a square: it
 * is resized until it just covers the target, or what the target is a share of,
 * and the middle is cut out (only that is computed, so a line of pixels takes no
 * gigabytes); with `"stretch"` both sides are resized and nothing is lost but
 * the proportions; with `"pad"` it is resized until it just fits inside, in the
 * middle. {@linkcode fitRegion} says which part that is.
 *
 * @param image The image.
 * @param height Rows of the result, at least 1.
 * @param width Columns of the result, at least 1.
 * @param options Which part, and how it is resized.
 * @returns A new image; the image itself if nothing is to be done.
 * @throws {GapcamError} If the image does not hold what its sides say, a side
 * is not a positive whole number, or an option is out of range.
 *
 * @example The middle of a wide picture
 * ```ts
 * import { fitImage } from "@gapcam/gapcam/image";
 *
 * const image = { width: 3, height: 1, channels: 1, data: Uint8Array.of(1, 2, 3) } as const;
 * if (fitImage(image, 1, 1).data.join() !== "2") throw new Error();
 * ```
 */
export function fitImage(
  image: Image,
  height: number,
  width: number,
  options: FitOptions = {},
): Image {
  checkImage(image, "fit image");
  const { covering, middle } = place(image, { height, width }, options);
  const { interpolation = "bilinear" } = options;
  const { top, left } = middle;
  const inner = covering.height < height || covering.width < width;
  const window = inner ? { top: 0, left: 0, ...covering } : middle;
  const same = covering.height === image.height &&
    covering.width === image.width && window.height === image.height &&
    window.width === image.width;
  const part = same
    ? image
    : resizeWindow(image, covering, { window, interpolation });
  if (!inner) return part;
  const canvas = canvasOf(height, width, options.padding ?? [0, 0, 0]);
  paste(canvas, part, { x: -left, y: -top });
  return image.channels === 1 ? toGrey(canvas) : canvas;
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
 * @param options As for {@linkcode fitImage}.
 * @returns The rectangle, within the image up to rounding; with `pad` the bars
 * lie beyond it.
 * @throws {GapcamError} If a side is not a positive whole number, or an
 * option is out of range.
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
  options: FitOptions = {},
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

/**
 * The size that an image is resized to, and the part of that which is kept: one
 * that begins above or left of it has bars.
 */
function place(
  image: { height: number; width: number },
  target: { height: number; width: number },
  options: FitOptions,
): { covering: { height: number; width: number }; middle: PixelWindow } {
  const { height, width } = target;
  checkSize(height, width, "fit image");
  const { fit, cropShare } = checkedFit(options);
  if (fit === "stretch") {
    return { covering: target, middle: { top: 0, left: 0, ...target } };
  }
  if (fit === "pad") {
    const inner = resizedTo(image, target, { inside: true });
    return {
      covering: inner,
      middle: {
        // No negative zero: an image without bars has none.
        top: 0 - Math.floor((height - inner.height) / 2),
        left: 0 - Math.floor((width - inner.width) / 2),
        height,
        width,
      },
    };
  }
  const covering = resizedTo(image, {
    // A part in a billion is rounding: 224 / 0.875 is 256.
    height: Math.max(height, Math.floor(height / cropShare + 1e-9)),
    width: Math.max(width, Math.floor(width / cropShare + 1e-9)),
  }, { inside: false });
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

/**
 * The size of an image that just covers a target, or just fits inside. The side
 * that decides gets its target length, the other one the length that keeps the
 * proportions, cut off to a whole number as torchvision does.
 */
function resizedTo(
  image: { height: number; width: number },
  { height, width }: { height: number; width: number },
  { inside }: { inside: boolean },
): { height: number; width: number } {
  const wide = image.width * height >= image.height * width;
  const across = Math.trunc(image.width * height / image.height);
  const down = Math.trunc(image.height * width / image.width);
  if (inside) {
    return wide
      ? { height: Math.min(height, Math.max(1, down)), width }
      : { height, width: Math.min(width, Math.max(1, across)) };
  }
  return wide
    ? { height, width: Math.max(width, across) }
    : { height: Math.max(height, down), width };
}

/** Options with what was left out. */
function checkedFit(
  { fit = "crop", interpolation = "bilinear", cropShare = 1 }: FitOptions,
): { fit: "crop" | "stretch" | "pad"; cropShare: number } {
  const refuse = (found: string, expected: string): never => {
    throw new GapcamError(
      "invalid-argument",
      `Cannot fit image: found ${found}, expected ${expected}`,
    );
  };
  if (fit !== "crop" && fit !== "stretch" && fit !== "pad") {
    refuse(`fit ${JSON.stringify(fit)}`, '"crop", "stretch" or "pad"');
  }
  if (!INTERPOLATIONS.includes(interpolation)) {
    refuse(
      `interpolation ${JSON.stringify(interpolation)}`,
      '"bilinear" or "bicubic"',
    );
  }
  if (!(cropShare > 0 && cropShare <= 1)) {
    refuse(`a crop share of ${cropShare}`, "a number above 0, at most 1");
  }
  return { fit, cropShare };
}

/** Python's round(), which torchvision takes for the corner of the middle. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
