import { badImage, type DecodeLimits } from "./_decode_error.ts";
import { type JpegHeader, readJpegHeader } from "./_jpeg_header.ts";
import { orient } from "./_orient.ts";
import { decodeWithTurbo } from "./_turbo_jpeg.ts";
import type { Image } from "./image.ts";

/** Decodes a JPEG file: baseline or progressive; grey, YCbCr, RGB, CMYK or YCCK. */
export async function decodeJpeg(
  bytes: Uint8Array,
  limits: DecodeLimits,
): Promise<Image> {
  const header = readJpegHeader(bytes, limits);
  const { width, height, components, orientation } = header;
  let data: Uint8Array;
  try {
    data = components === 4
      ? await decodeFourComponents(bytes, header)
      : await decodeWithTurbo(bytes);
  } catch (cause) {
    throw badImage(
      limits.source,
      "JPEG data that is damaged or cut off",
      `${height}x${width} whole pixels`,
      cause,
    );
  }
  const channels = components === 1 ? 1 : 3;
  if (data.length !== height * width * channels) {
    throw badImage(
      limits.source,
      `${data.length} bytes from the JPEG decoder`,
      `${height * width * channels}`,
    );
  }
  return orient({ width, height, channels, data }, orientation);
}

/** CMYK and YCCK, which the build of libjpeg-turbo refuses. */
async function decodeFourComponents(
  bytes: Uint8Array,
  { width, height, adobe }: JpegHeader,
): Promise<Uint8Array> {
  const { default: jpeg } = await import("npm:jpeg-js@^0.4.4");
  // Without an Adobe segment four components are CMYK, stored inverted as
  // Adobe does; the decoder wants to be told.
  const file = adobe ? bytes : insertAfterStart(bytes, ADOBE_CMYK);
  const { data } = jpeg.decode(file, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    // The sides are checked already.
    maxResolutionInMP: Math.ceil(width * height / 1e6) + 1,
    maxMemoryUsageInMB: 64 + Math.ceil(width * height * 32 / 1e6),
  });
  return data;
}

/** A segment APP14 that says: no colour transform. */
const ADOBE_CMYK = Uint8Array.of(
  ...[0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65],
  ...[0, 100, 0, 0, 0, 0, 0],
);

function insertAfterStart(bytes: Uint8Array, segment: Uint8Array): Uint8Array {
  const file = new Uint8Array(bytes.length + segment.length);
  file.set(bytes.subarray(0, 2));
  file.set(segment, 2);
  file.set(bytes.subarray(2), 2 + segment.length);
  return file;
}
