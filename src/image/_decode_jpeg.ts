import { badImage, type DecodeLimits } from "./_decode_error.ts";
import { type JpegFile, readJpegFile } from "./_jpeg_file.ts";
import { orient } from "./_orient.ts";
import {
  decodeWithVips,
  imageOfPixels,
  NoDecoderError,
  type VipsPixels,
} from "./_sharp.ts";
import type { Image } from "./image.ts";

/** libvips reads as many rows at a time. */
const STRIP = 8;
/** The most rows that libjpeg takes. */
const MOST_ROWS = 65_500;
/** Places with stray bytes that are cut out before a file counts as damaged; */
const MOST_REPAIRS = 64;
/** fewer in a large one: each takes as long as decoding it. */
const MOST_REPAIRED_PIXELS = 2e8;

/** Decodes a JPEG file: baseline or progressive; grey, YCbCr, RGB, CMYK or YCCK. */
export async function decodeJpeg(
  bytes: Uint8Array,
  limits: DecodeLimits,
): Promise<Image> {
  const file = readJpegFile(bytes, limits);
  const most = MOST_REPAIRED_PIXELS / (file.height * file.width);
  const repairs = { left: Math.min(MOST_REPAIRS, Math.ceil(most)) };
  try {
    const pixels = await decodeMended(file, limits, repairs);
    return orient(imageOfPixels(pixels), file.orientation);
  } catch (cause) {
    if (cause instanceof NoDecoderError) throw cause;
    throw badImage(
      limits.source,
      "JPEG data that is damaged or cut off",
      `${file.height}x${file.width} whole pixels`,
      cause,
    );
  }
}

/** Decodes a file, if need be without bytes that stand behind the codes of a scan. */
async function decodeMended(
  file: JpegFile,
  limits: DecodeLimits,
  repairs: { left: number },
): Promise<VipsPixels> {
  try {
    return await decodeStrictly(file, limits);
  } catch (cause) {
    if (cause instanceof NoDecoderError) throw cause;
    for (const mended of withoutStrayBytes(file, cause)) {
      if (repairs.left-- <= 0) break;
      try {
        return await decodeMended(mended, limits, repairs);
      } catch (error) {
        if (error instanceof NoDecoderError) throw error;
        // The bytes that were cut out were pixels: another place, then.
      }
    }
    throw cause;
  }
}

/**
 * Decodes a file, and fails on everything that libjpeg warns of.
 *
 * libvips asks for warnings before each strip of rows, not after the last. If a
 * file's last row of blocks is read with that strip, a header that promises
 * more rows makes it the last but one. Where blocks are coded two rows or more
 * at a time the rows are there; else libjpeg makes them up, after the question.
 */
async function decodeStrictly(
  file: JpegFile,
  limits: DecodeLimits,
): Promise<VipsPixels> {
  const { bytes, height, width, components, interpolatesRows } = file;
  const codedRows = 8 * file.blockRows;
  const coded = Math.ceil(height / codedRows) * codedRows;
  const taller = file.blockRows > 1 ? coded : coded + STRIP;
  const options = {
    ...limits,
    // The sides are checked.
    maxPixels: width * taller,
    // Each restart that is made up is warned of.
    unlimited: true,
    colours: components === 1 ? "grey" : components === 3 ? "rgb" : "cmyk",
  } as const;
  const unseen = !file.readFirst && height - (coded - codedRows) <= STRIP &&
    taller <= MOST_ROWS &&
    // Smoothing chroma between rows, libjpeg reads one row of blocks ahead.
    !(interpolatesRows && height > STRIP);
  if (!unseen) return await decodeWithVips(bytes, options);
  const longer = await decodeWithVips(withHeight(file, taller), options);
  // What is below the last row would show in it.
  if (interpolatesRows) return await decodeWithVips(bytes, options);
  const data = longer.data.subarray(0, height * width * components);
  return { ...longer, height, data };
}

function withHeight({ bytes, heightAt }: JpegFile, height: number): Uint8Array {
  const changed = new Uint8Array(bytes);
  new DataView(changed.buffer).setUint16(heightAt, height);
  return changed;
}

/**
 * The file without the bytes that libjpeg says to have skipped before a marker:
 * it does not say which of those of one kind, so each in turn.
 */
function* withoutStrayBytes(
  file: JpegFile,
  cause: unknown,
): Generator<JpegFile> {
  const text = cause instanceof Error ? cause.message : "";
  const found = /(\d+) extraneous bytes before marker 0x([0-9a-f]{2})/.exec(
    text,
  );
  if (!found) return;
  const count = Number(found[1]);
  const marker = parseInt(found[2]!, 16);
  const { bytes, scans } = file;
  for (const [i, start] of scans.entries()) {
    const next = scans[i + 1] ?? bytes.length;
    for (let at = start + count; at + 1 < next; at++) {
      if (bytes[at] !== 0xff || bytes[at + 1] !== marker) continue;
      // Bytes that fill up before a marker are not counted.
      let end = at;
      while (bytes[end - 1] === 0xff) end--;
      if (end - count < start) continue;
      const shorter = new Uint8Array(bytes.length - count);
      shorter.set(bytes.subarray(0, end - count));
      shorter.set(bytes.subarray(end), end - count);
      yield {
        ...file,
        bytes: shorter,
        scans: scans.map((scan) => scan > at ? scan - count : scan),
      };
      // Behind restarts the next tables or scans follow.
      if (marker < 0xd0 || marker > 0xd7) break;
    }
  }
}
