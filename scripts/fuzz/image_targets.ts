/**
 * The image decoders, with small files of every kind that they read.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { decodeImage } from "../../src/image/decode_image.ts";
import type { FuzzTarget } from "./run_target.ts";

const FILES = new URL("../../tests/fixtures/image/files.json", import.meta.url);

/** The targets, by name. */
export const IMAGE_TARGETS: readonly FuzzTarget[] = [
  {
    name: "png",
    seeds: () => readFiles("png"),
    parse: (bytes) => decodeImage(bytes),
    repair: repairChecksums,
  },
  {
    name: "jpeg",
    seeds: () => readFiles("jpeg"),
    parse: (bytes) => decodeImage(bytes),
  },
];

function readFiles(kind: "png" | "jpeg"): Uint8Array[] {
  const files: { file: string }[] = JSON.parse(
    Deno.readTextFileSync(FILES),
  )[kind];
  return files.map(({ file }) =>
    Uint8Array.from(atob(file), (character) => character.charCodeAt(0))
  );
}

/** Sets the checksums of a PNG's chunks, as far as its lengths lead. */
function repairChecksums(bytes: Uint8Array): Uint8Array {
  const repaired = bytes.slice();
  const view = new DataView(repaired.buffer);
  let offset = 8;
  while (offset + 12 <= repaired.length) {
    const end = offset + 8 + view.getUint32(offset);
    if (end + 4 > repaired.length) break;
    view.setUint32(end, crc32(repaired.subarray(offset + 4, end)));
    offset = end + 4;
  }
  return repaired;
}
