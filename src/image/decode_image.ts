import { GapcamError } from "../error.ts";
import { decodeJpeg } from "./_decode_jpeg.ts";
import { decodePng } from "./_decode_png.ts";
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
}

/**
 * Reads a PNG or JPEG file from memory. What it is says its content, not a name.
 *
 * The colours are those of Pillow's `convert("RGB")`: alpha and transparency are
 * dropped, gamma and colour profiles ignored, 16-bit samples keep their high
 * byte, palettes are looked up, CMYK becomes RGB. The values are Pillow's too,
 * but for CMYK: within 3 levels, more where its chroma is subsampled. A JPEG is
 * turned as its EXIF orientation says. Grey files stay grey; {@linkcode toRgb} makes them RGB.
 *
 * Meant for bytes that nobody vouches for: sides are checked before memory is
 * taken, also against the size of the file, and a file that ends early is an
 * error, never a picture with a grey rest.
 *
 * @param bytes The file.
 * @param options Limits, and a name for errors.
 * @returns The image, with 1 or 3 channels.
 * @throws {GapcamError} If it is no PNG or JPEG, of a rare kind (lossless or
 * arithmetic JPEG), larger than allowed, damaged or cut off.
 *
 * @example Reading back what was written
 * ```ts
 * import { decodeImage, encodePng } from "@gapcam/gapcam";
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
  const { maxPixels = 1e8, source = "image" } = options;
  if (!(maxPixels >= 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot read ${source}: found a limit of ${maxPixels} pixels, expected ` +
        `at least 1`,
    );
  }
  if (bytes[0] === 0x89 && bytes[1] === 0x50) {
    return decodePng(bytes, { maxPixels, source });
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    return await decodeJpeg(bytes, { maxPixels, source });
  }
  const start = Array.from(
    bytes.subarray(0, 4),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join(" ");
  throw new GapcamError(
    "bad-data",
    `Cannot read ${source}: found ${
      bytes.length === 0 ? "no bytes" : `first bytes ${start}`
    }, expected a PNG or JPEG file`,
  );
}
