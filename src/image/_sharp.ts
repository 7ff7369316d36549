import type Sharp from "npm:sharp@^0.35.5";
import type { Metadata } from "npm:sharp@^0.35.5";
import { GapcamError } from "../error.ts";
import { badImage, type DecodeLimits } from "./_decode_error.ts";
import type { Image } from "./image.ts";

/** Colours as libvips gives them. */
export type VipsColours = "grey" | "grey16" | "rgb" | "cmyk";

/** How libvips is to decode a file. */
export interface VipsOptions extends DecodeLimits {
  /** The values that are wanted; `"grey16"` has two bytes each. */
  colours: VipsColours;
  /** Whether libvips may go on after 100 warnings of libjpeg's. */
  unlimited?: boolean;
}

/** Pixels as libvips gives them. */
export interface VipsPixels {
  readonly width: number;
  readonly height: number;
  /** What {@linkcode VipsOptions.colours} asked for. */
  readonly colours: VipsColours;
  readonly data: Uint8Array;
}

/** Says that no picture can be decoded in this process, whatever its bytes are. */
export class NoDecoderError extends GapcamError {}

let loading: Promise<typeof Sharp> | undefined;

/** Decodes a file of any kind that libvips knows, without its colour profile. */
export async function decodeWithVips(
  bytes: Uint8Array,
  options: VipsOptions,
): Promise<VipsPixels> {
  const sharp = await loadSharp(options.source);
  const { colours, background, maxPixels, unlimited } = options;
  const picture = sharp(bytes, {
    // Less would pass over damaged pixels: those of a TIFF's tile, of a JPEG.
    failOn: "warning",
    unlimited: unlimited ?? false,
    ignoreIcc: true,
    limitInputPixels: maxPixels,
  });
  if (background && colours !== "cmyk") {
    const [r, g, b] = background;
    picture.flatten({ background: { r, g, b } });
  } else {
    picture.removeAlpha();
  }
  // Left to itself libvips would turn CMYK into RGB by a printer's profile.
  if (colours === "cmyk") picture.pipelineColourspace("cmyk");
  picture.toColourspace(SPACES[colours]);
  const depth = colours === "grey16" ? "ushort" : "uchar";
  const { data, info } = await picture.raw({ depth })
    .toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    colours,
    // Loops over a Buffer are slower than over what it wraps.
    data: new Uint8Array(data.buffer, data.byteOffset, data.length),
  };
}

const SPACES = { grey: "b-w", grey16: "grey16", rgb: "srgb", cmyk: "cmyk" };

/**
 * Makes pixels an image, in place: 16-bit values keep their high byte, CMYK
 * becomes RGB as in Pillow.
 */
export function imageOfPixels(pixels: VipsPixels): Image {
  const { width, height, colours, data } = pixels;
  const length = width * height;
  if (colours === "grey16") {
    // The values are in the machine's order: low bytes first.
    for (let i = 0; i < length; i++) data[i] = data[2 * i + 1]!;
  } else if (colours === "cmyk") {
    cmykToRgb(data);
  }
  const channels = colours === "rgb" || colours === "cmyk" ? 3 : 1;
  return { width, height, channels, data: data.subarray(0, length * channels) };
}

/** Ink to light, in place. */
function cmykToRgb(data: Uint8Array): void {
  let to = 0;
  for (let from = 0; from < data.length; from += 4) {
    const light = 255 - data[from + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = data[from + c]! * light + 128;
      data[to++] = light - (((product >> 8) + product) >> 8);
    }
  }
}

/** What libvips knows of a file before it decodes pixels. */
export async function vipsMetadata(
  bytes: Uint8Array,
  { source }: DecodeLimits,
): Promise<Metadata> {
  const sharp = await loadSharp(source);
  try {
    return await sharp(bytes, { limitInputPixels: false }).metadata();
  } catch (cause) {
    throw badImage(
      source,
      "a header that is damaged or of a rare kind",
      "a whole picture",
      cause,
    );
  }
}

async function loadSharp(source: string): Promise<typeof Sharp> {
  const current = loading ??= load();
  try {
    return await current;
  } catch (cause) {
    if (loading === current) loading = undefined;
    throw noDecoder(source, cause);
  }
}

async function load(): Promise<typeof Sharp> {
  const { default: sharp } = await import("npm:sharp@^0.35.5");
  // Each picture is decoded once, and threads that decode are for the caller.
  sharp.cache(false);
  sharp.concurrency(1);
  return sharp;
}

function noDecoder(source: string, cause: unknown): NoDecoderError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const missing = /Requires (\w+) access to ("[^"]*")/.exec(text);
  if (missing) {
    return new NoDecoderError(
      "not-allowed",
      `Cannot read ${source}: the decoder (npm:sharp) lacks Deno's permission ` +
        `${missing[1]} for ${missing[2]}; allow it`,
      { cause },
    );
  }
  const reason = text.split("\n")[0]!;
  if (/caching|npm cache|--cached-only/.test(text)) {
    return new NoDecoderError(
      "io",
      `Cannot read ${source}: the decoder (npm:sharp) is not in Deno's cache ` +
        `and could not be fetched (${reason}); run this once with network access`,
      { cause },
    );
  }
  const { os, arch } = Deno.build;
  return new NoDecoderError(
    "unsupported",
    `Cannot read ${source}: the decoder (npm:sharp) could not be loaded on ` +
      `${os} ${arch} (${reason}); use a system that it has libraries for`,
    { cause },
  );
}
