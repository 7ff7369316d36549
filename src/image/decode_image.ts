import { GapcamError } from "../error.ts";
import { imageKind, KINDS_READ, otherKind } from "./_image_kind.ts";
import type { Image } from "./image.ts";

/** What {@linkcode decodeImage} accepts. */
export interface DecodeOptions {
  /**
   * The largest `height * width`, checked in the header before memory is taken;
   * 100 million if left out.
   */
  maxPixels?: number;
  /** What to name in an error, such as a path; "image" if left out. */
  source?: string;
  /**
   * Red, green and blue in `[0, 255]` that transparent pixels are laid on. If
   * left out, alpha is dropped and hidden colours show, as with Pillow's
   * `convert("RGB")`; a GIF's, which are not to be had, are white.
   */
  background?: readonly [number, number, number];
}

/**
 * Reads a picture from memory: PNG, JPEG, WebP, GIF (its first frame), AVIF,
 * TIFF (its first page) or BMP. What it is says its content, not a name.
 *
 * The colours are those of Pillow's `convert("RGB")`: alpha and transparency are
 * dropped, gamma and colour profiles ignored, 16-bit samples keep their high
 * byte, palettes are looked up, CMYK becomes RGB. The values are Pillow's too,
 * but for AVIF, whose subsampled chroma is repeated instead of smoothed. Pictures
 * are turned as their EXIF or XMP orientation says. Grey files stay grey;
 * {@linkcode toRgb} makes them RGB.
 *
 * Meant for bytes that nobody vouches for: sides are checked before memory is
 * taken, also against the size of the file, and a file whose pixels are cut off
 * or damaged is an error, never a picture with a grey rest. What does not touch
 * pixels (odd metadata, bytes between segments, a missing end mark) is passed
 * over.
 *
 * All but BMP are decoded by libvips, from the npm package `sharp`, which is
 * loaded when first needed: Deno's permissions to read and for FFI are needed
 * for npm's cache, and for the environment variables
 * `npm_package_config_libvips` and `MALLOC_ARENA_MAX`.
 *
 * @param bytes The file.
 * @param options Limits, background, and a name for errors.
 * @returns The image, with 1 or 3 channels.
 * @throws {GapcamError} If it is none of these, of a rare kind (lossless JPEG,
 * interlaced PNG of over 256 MiB), larger than allowed, damaged or cut off, or if
 * the decoder cannot be loaded (code `"not-allowed"` if a permission is missing).
 *
 * @example Reading back what was written
 * ```ts
 * import { decodeImage, encodePng } from "@gapcam/gapcam/image";
 *
 * const image = { width: 1, height: 1, channels: 3, data: Uint8Array.of(1, 2, 3) } as const;
 * const { data } = await decodeImage(encodePng(image));
 * if (data.join() !== "1,2,3") throw new Error();
 * ```
 */
export async function decodeImage(
  bytes: Uint8Array,
  options: DecodeOptions = {},
): Promise<Image> {
  const { maxPixels = 1e8, source = "image", background } = options;
  if (!(maxPixels >= 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot read ${source}: found a limit of ${maxPixels} pixels, expected ` +
        `at least 1`,
    );
  }
  const limits = { maxPixels, source, background };
  // Each decoder is loaded when a file first needs it.
  const kind = imageKind(bytes);
  switch (kind) {
    case "PNG":
      return await (await import("./_decode_png.ts")).decodePng(bytes, limits);
    case "JPEG":
      return await (await import("./_decode_jpeg.ts"))
        .decodeJpeg(bytes, limits);
    case "BMP":
      return (await import("./_decode_bmp.ts")).decodeBmp(bytes, limits);
    case undefined:
      throw unknownKind(bytes, source);
    default:
      return await (await import("./_decode_other.ts"))
        .decodeOther(bytes, kind, limits);
  }
}

function unknownKind(bytes: Uint8Array, source: string): GapcamError {
  const other = otherKind(bytes);
  if (other) {
    return new GapcamError(
      other.picture ? "unsupported" : "bad-data",
      `Cannot read ${source}: found ${other.name}, expected ${KINDS_READ}; ` +
        other.advice,
    );
  }
  const start = Array.from(
    bytes.subarray(0, 4),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join(" ");
  const found = bytes.length === 0 ? "no bytes" : `first bytes ${start}`;
  return new GapcamError(
    "bad-data",
    `Cannot read ${source}: found ${found}, expected ${KINDS_READ}`,
  );
}
