/**
 * Between data sets and picture files.
 *
 * @module
 */

import type { Dataset } from "../src/data/dataset.ts";
import { writeAtomically } from "../src/_write_atomically.ts";
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
 * Writes a picture beside its name and renames it; its folder is made if needed.
 *
 * @throws {GapcamError} If it cannot be written.
 */
export async function writeFile(
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  await writeAtomically(path, [bytes], { makeFolder: true });
}
