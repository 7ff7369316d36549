/**
 * The image decoders, with small files of every kind that they read.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { decodeImage } from "../../src/image/decode_image.ts";
import type { FuzzTarget } from "./run_target.ts";

const FIXTURES = new URL("../../tests/fixtures/image/", import.meta.url);
const MAX_PIXELS = 1_000_000;

/** The targets, by name. */
export const IMAGE_TARGETS: readonly FuzzTarget[] = [
  { ...target("png", /\.png$/), repair: repairChecksums },
  target("jpeg", /\.jpg$/),
  target("webp", /\.webp$/),
  target("gif", /\.gif$/),
  target("tiff", /\.tif$/),
  target("bmp", /\.bmp$/),
];

function target(name: string, odd: RegExp): FuzzTarget {
  return {
    name,
    seeds: () => [...listedFiles(name), ...oddFiles(odd)],
    // Mutations reach large sides often, and say little there.
    parse: (bytes) => decodeImage(bytes, { maxPixels: MAX_PIXELS }),
  };
}

function listedFiles(kind: string): Uint8Array[] {
  const listed: { [kind: string]: { file: string }[] } = JSON.parse(
    Deno.readTextFileSync(new URL("files.json", FIXTURES)),
  );
  return (listed[kind] ?? []).map(({ file }) =>
    Uint8Array.from(atob(file), (character) => character.charCodeAt(0))
  );
}

function oddFiles(name: RegExp): Uint8Array[] {
  // Of the files that are read; others are there to be called by their names.
  const read = JSON.parse(Deno.readTextFileSync(new URL("odd.json", FIXTURES)));
  return Object.keys(read)
    .filter((file) => name.test(file))
    .map((file) => Deno.readFileSync(new URL(`odd/${file}`, FIXTURES)));
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
