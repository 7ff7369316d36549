import { GapcamError } from "../error.ts";

/**
 * An 8-bit picture in host memory: rows from top to bottom, pixels from left to
 * right, the channels of a pixel side by side (HWC).
 *
 * @example A picture of two pixels, red and blue
 * ```ts
 * import { checkImage, type Image } from "@gapcam/gapcam/image";
 *
 * const image: Image = {
 *   width: 2,
 *   height: 1,
 *   channels: 3,
 *   data: Uint8Array.of(255, 0, 0, 0, 0, 255),
 * };
 * checkImage(image, "show it");
 * ```
 */
export interface Image {
  /** Pixels in a row. */
  readonly width: number;
  /** Number of rows. */
  readonly height: number;
  /** 1 (grey), 3 (RGB) or 4 (RGB and alpha, not premultiplied). */
  readonly channels: 1 | 3 | 4;
  /** `height * width * channels` values in `[0, 255]`. */
  readonly data: Uint8Array;
}

/**
 * Checks that an image's sides, channels and number of bytes fit together.
 *
 * @param image The image.
 * @param action What the caller is about to do, for the error: "encode PNG".
 * @throws {GapcamError} If a side is not a positive whole number, if there are
 * not 1, 3 or 4 channels, or if the data has another length than they give.
 *
 * @example A row is missing
 * ```ts
 * import { checkImage } from "@gapcam/gapcam/image";
 * import { GapcamError } from "@gapcam/gapcam";
 *
 * const image = { width: 2, height: 2, channels: 1, data: new Uint8Array(2) } as const;
 * try {
 *   checkImage(image, "show it");
 *   throw new Error("not reached");
 * } catch (error) {
 *   if (!(error instanceof GapcamError)) throw error;
 * }
 * ```
 */
export function checkImage(image: Image, action: string): void {
  const { width, height, channels, data } = image;
  checkSize(height, width, action);
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot ${action}: found ${channels} channels, expected 1, 3 or 4`,
    );
  }
  const length = height * width * channels;
  if (data.length !== length) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot ${action}: found ${data.length} bytes, expected ${length} for ` +
        `${height}x${width} pixels of ${channels} channels`,
    );
  }
}

/** Checks that two sides are positive whole numbers. */
export function checkSize(height: number, width: number, action: string): void {
  for (const [name, side] of [["height", height], ["width", width]] as const) {
    if (!Number.isSafeInteger(side) || side < 1) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot ${action}: found ${name} ${side}, expected a positive whole number`,
      );
    }
  }
}
