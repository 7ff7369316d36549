/**
 * Between data sets and picture files.
 *
 * @module
 */

import type { Dataset } from "../src/data/dataset.ts";
import { osReason } from "../src/_files.ts";
import { GapcamError } from "../src/error.ts";
import type { Image } from "../src/image/image.ts";

/** One image of a batch, as a view. */
export function imageOf(
  dataset: Pick<Dataset, "height" | "width" | "channels">,
  batch: Uint8Array,
  number: number,
): Image {
  const { height, width, channels } = dataset;
  const size = height * width * channels;
  const data = batch.subarray(number * size, (number + 1) * size);
  return { height, width, channels, data };
}

/**
 * Writes a file beside its name and renames it; its folder is made if needed.
 *
 * @throws {GapcamError} If it cannot be written.
 */
export async function writeFile(
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    const slash = path.lastIndexOf("/");
    if (slash > 0) await Deno.mkdir(path.slice(0, slash), { recursive: true });
    await Deno.writeFile(temporary, bytes);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new GapcamError("io", `Cannot write ${path}: ${osReason(error)}`, {
      cause: error,
    });
  }
}
