import { zlib } from "../_node.ts";
import { badImage, type DecodeLimits } from "./_decode_error.ts";
import { orient } from "./_orient.ts";
import { type PngFile, readPngFile, writePngFile } from "./_png_file.ts";
import {
  decodeWithVips,
  imageOfPixels,
  NoDecoderError,
  type VipsOptions,
} from "./_sharp.ts";
import type { Image } from "./image.ts";

/** Decodes a PNG file: every colour type, bit depth and interlacing. */
export async function decodePng(
  bytes: Uint8Array,
  limits: DecodeLimits,
): Promise<Image> {
  const file = readPngFile(bytes, limits);
  const grey = file.colourType === 0 || file.colourType === 4;
  const options: VipsOptions = {
    ...limits,
    colours: !grey ? "rgb" : file.depth === 16 ? "grey16" : "grey",
  };
  let pixels;
  try {
    pixels = await decodeWithVips(written(file, options), options);
  } catch (cause) {
    if (cause instanceof NoDecoderError) throw cause;
    const again = withChecksum(file);
    if (!again) throw damaged(file, limits, cause);
    try {
      pixels = await decodeWithVips(written(again, options), options);
    } catch {
      throw damaged(file, limits, cause);
    }
  }
  return orient(imageOfPixels(pixels), file.orientation);
}

function written(file: PngFile, { background }: VipsOptions): Uint8Array {
  return writePngFile(file, { transparency: background !== undefined });
}

/**
 * The file with its pixels compressed anew, if they unpack to the end: libpng
 * takes a missing checksum behind them for missing pixels.
 */
function withChecksum(file: PngFile): PngFile | undefined {
  const { inflateSync, deflateSync, constants } = zlib();
  try {
    const stream = inflateSync(file.compressed, {
      finishFlush: constants.Z_SYNC_FLUSH,
      // A byte a row says how it is filtered; interlacing makes more rows.
      maxOutputLength: file.length + 16 * file.height + 64,
    });
    // Too few are for the decoder to find out.
    if (stream.length < file.length) return;
    return { ...file, compressed: deflateSync(stream, { level: 1 }) };
  } catch {
    return;
  }
}

function damaged(
  { height, width }: PngFile,
  { source }: DecodeLimits,
  cause: unknown,
): Error {
  return badImage(
    source,
    "PNG data that is damaged or cut off",
    `${height}x${width} whole pixels`,
    cause,
  );
}
