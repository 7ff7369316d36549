import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";
import { decodeImage, type DecodeOptions } from "./decode_image.ts";
import type { Image } from "./image.ts";

/**
 * Reads a PNG or JPEG file.
 *
 * @param path The file.
 * @param options Limits, as for {@linkcode decodeImage}; errors name the path.
 * @returns The image, with 1 or 3 channels.
 * @throws {GapcamError} If there is no such file, if it cannot be read, or if
 * {@linkcode decodeImage} refuses it.
 *
 * @example A file that is not there
 * ```ts
 * import { GapcamError, readImageFile } from "@gapcam/gapcam";
 *
 * try {
 *   await readImageFile("no/such/photo.jpg");
 *   throw new Error("not reached");
 * } catch (error) {
 *   if (!(error instanceof GapcamError) || error.code !== "not-found") throw error;
 * }
 * ```
 */
export async function readImageFile(
  path: string | URL,
  options: Omit<DecodeOptions, "source"> = {},
): Promise<Image> {
  const source = String(path);
  let bytes: Uint8Array;
  try {
    // Reading a pipe or a device might never end.
    const { isFile, isDirectory } = await Deno.stat(path);
    if (!isFile) {
      throw new Error(isDirectory ? "it is a folder" : "it is no file");
    }
    bytes = await Deno.readFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new GapcamError(
        "not-found",
        `Cannot read ${source}: no such file`,
        { cause },
      );
    }
    throw new GapcamError("io", `Cannot read ${source}: ${osReason(cause)}`, {
      cause,
    });
  }
  return await decodeImage(bytes, { ...options, source });
}
