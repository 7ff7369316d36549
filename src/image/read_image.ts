import { readPictureBytes } from "./_picture_bytes.ts";
import { decodeImage, type DecodeOptions } from "./decode_image.ts";
import type { Image } from "./image.ts";

/**
 * Reads a picture from a file: PNG, JPEG, WebP, GIF (its first frame), AVIF, TIFF
 * (its first page) or BMP, by its content.
 *
 * @param path The file.
 * @param options Limits, as for {@linkcode decodeImage}; errors name the path.
 * @returns The image, with 1 or 3 channels.
 * @throws {GapcamError} If there is no such file, if it is a folder, a pipe or a
 * device, cannot be read, or if {@linkcode decodeImage} refuses it.
 *
 * @example A file that is not there
 * ```ts
 * import { GapcamError, readImage } from "@gapcam/gapcam";
 *
 * try {
 *   await readImage("no/such/photo.jpg");
 *   throw new Error("not reached");
 * } catch (error) {
 *   if (!(error instanceof GapcamError) || error.code !== "not-found") throw error;
 * }
 * ```
 */
export async function readImage(
  path: string | URL,
  options: Omit<DecodeOptions, "source"> = {},
): Promise<Image> {
  const bytes = readPictureBytes(path);
  return await decodeImage(bytes, { ...options, source: String(path) });
}
