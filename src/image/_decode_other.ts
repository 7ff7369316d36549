import {
  badImage,
  checkSides,
  type DecodeLimits,
  unsupportedImage,
} from "./_decode_error.ts";
import { xmpOrientation } from "./_exif.ts";
import type { ImageKind } from "./_image_kind.ts";
import { orient } from "./_orient.ts";
import {
  decodeWithVips,
  imageOfPixels,
  NoDecoderError,
  type VipsColours,
  vipsMetadata,
} from "./_sharp.ts";
import type { Image } from "./image.ts";

const COLOURS: { readonly [space: string]: VipsColours } = {
  "b-w": "grey",
  grey16: "grey16",
  cmyk: "cmyk",
};

const WHITE = [255, 255, 255] as const;

/** Decodes a WebP, GIF (its first frame), AVIF or TIFF (its first page). */
export async function decodeOther(
  bytes: Uint8Array,
  kind: Exclude<ImageKind, "PNG" | "JPEG" | "BMP">,
  limits: DecodeLimits,
): Promise<Image> {
  const { source } = limits;
  const { width, height, space, depth, orientation, xmp } = await vipsMetadata(
    bytes,
    limits,
  );
  checkSides(height, width, limits);
  const colours = COLOURS[space] ?? "rgb";
  if (depth !== "uchar" && (depth !== "ushort" || colours === "cmyk")) {
    throw unsupportedImage(
      source,
      `${kind} with ${colours} values of type ${depth}`,
      "8 bits, or 16 of grey or RGB",
    );
  }
  try {
    const pixels = await decodeWithVips(bytes, {
      ...limits,
      colours,
      // libvips does not give the colours of a GIF's transparent pixels.
      background: limits.background ?? (kind === "GIF" ? WHITE : undefined),
    });
    return orient(
      imageOfPixels(pixels),
      orientation ?? (xmp && xmpOrientation(xmp.toString("latin1"))) ?? 1,
    );
  } catch (cause) {
    if (cause instanceof NoDecoderError) throw cause;
    throw badImage(
      source,
      `${kind} data that is damaged or cut off`,
      `${height}x${width} whole pixels`,
      cause,
    );
  }
}
