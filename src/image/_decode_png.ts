import { Buffer } from "node:buffer";
import { zlib } from "../_node.ts";
import {
  badImage,
  checkSides,
  type DecodeLimits,
  unsupportedImage,
} from "./_decode_error.ts";
import { type PngLayout, unpackPixels } from "./_png_pixels.ts";
import type { Image } from "./image.ts";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
/** Samples a pixel by colour type, and the bit depths that go with it. */
const COLOUR_TYPES = new Map<number, { samples: number; depths: number[] }>([
  [0, { samples: 1, depths: [1, 2, 4, 8, 16] }],
  [2, { samples: 3, depths: [8, 16] }],
  [3, { samples: 1, depths: [1, 2, 4, 8] }],
  [4, { samples: 2, depths: [8, 16] }],
  [6, { samples: 4, depths: [8, 16] }],
]);
/** Deflate cannot expand a byte to more than this. */
const LARGEST_EXPANSION = 1032;

/** First column, first row and steps of Adam7's seven passes. */
const PASSES = [
  { x: 0, y: 0, dx: 8, dy: 8 },
  { x: 4, y: 0, dx: 8, dy: 8 },
  { x: 0, y: 4, dx: 4, dy: 8 },
  { x: 2, y: 0, dx: 4, dy: 4 },
  { x: 0, y: 2, dx: 2, dy: 4 },
  { x: 1, y: 0, dx: 2, dy: 2 },
  { x: 0, y: 1, dx: 1, dy: 2 },
];
const WHOLE = [{ x: 0, y: 0, dx: 1, dy: 1 }];

interface PngParts {
  layout: PngLayout;
  interlaced: boolean;
  /** The contents of the IDAT chunks. */
  compressed: Uint8Array[];
}

/** Decodes a PNG file: every colour type, bit depth and interlacing. */
export function decodePng(bytes: Uint8Array, limits: DecodeLimits): Image {
  const { layout, interlaced, compressed } = readChunks(bytes, limits);
  const { width, height, bitsPerPixel } = layout;
  const passes = (interlaced ? PASSES : WHOLE)
    .map((pass) => ({
      ...pass,
      columns: Math.max(0, Math.ceil((width - pass.x) / pass.dx)),
      rows: Math.max(0, Math.ceil((height - pass.y) / pass.dy)),
    }))
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
  const length = passes.reduce(
    (sum, { columns, rows }) =>
      sum + rows * (1 + Math.ceil(columns * bitsPerPixel / 8)),
    0,
  );
  const stream = inflate(compressed, length, limits.source);
  const channels = layout.colourType === 0 || layout.colourType === 4 ? 1 : 3;
  const data = new Uint8Array(height * width * channels);
  let offset = 0;
  for (const pass of passes) {
    offset = unpackPixels(stream, offset, {
      layout,
      pass,
      target: data,
      source: limits.source,
    });
  }
  return { width, height, channels, data };
}

function readChunks(bytes: Uint8Array, limits: DecodeLimits): PngParts {
  const { source } = limits;
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) {
    throw badImage(source, "a damaged signature", "that of PNG");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const compressed: Uint8Array[] = [];
  let layout: PngLayout | undefined;
  let interlaced = false;
  let palette: Uint8Array | undefined;
  let offset = 8;
  while (true) {
    if (offset + 12 > bytes.length) {
      throw badImage(source, "the end of the file", "more PNG chunks");
    }
    const length = view.getUint32(offset);
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) {
      throw badImage(source, "a chunk whose name is no letters", "PNG chunks");
    }
    const end = offset + 8 + length;
    if (end + 4 > bytes.length) {
      throw badImage(
        source,
        `${bytes.length - offset - 8} bytes at chunk ${type}`,
        `${length + 4}`,
      );
    }
    const content = bytes.subarray(offset + 8, end);
    // A lower-case first letter marks what a reader may skip.
    const skippable = (bytes[offset + 4]! & 0x20) !== 0;
    if (
      !skippable &&
      zlib().crc32(bytes.subarray(offset + 4, end)) !== view.getUint32(end)
    ) {
      throw badImage(source, `a wrong checksum of ${type}`, "intact chunks");
    }
    offset = end + 4;
    if (!layout && type !== "IHDR") {
      throw badImage(source, `chunk ${type} first`, "IHDR");
    }
    if (type === "IHDR") {
      if (layout) throw badImage(source, "a second IHDR", "one");
      ({ layout, interlaced } = readHeader(content, limits));
    } else if (type === "PLTE") {
      if (length % 3 !== 0 || length === 0 || length > 768) {
        throw badImage(source, `a palette of ${length} bytes`, "3 to 768");
      }
      palette = content;
    } else if (type === "IDAT") {
      compressed.push(content);
    } else if (type === "IEND") {
      break;
    } else if (!skippable) {
      throw unsupportedImage(
        source,
        `the critical chunk ${type}`,
        "standard PNG",
      );
    }
  }
  if (layout!.colourType === 3) {
    if (!palette) throw badImage(source, "no palette", "one");
    layout = { ...layout!, palette };
  }
  return { layout: layout!, interlaced, compressed };
}

function readHeader(
  content: Uint8Array,
  limits: DecodeLimits,
): { layout: PngLayout; interlaced: boolean } {
  const { source } = limits;
  if (content.length !== 13) {
    throw badImage(source, `an IHDR of ${content.length} bytes`, "13");
  }
  const view = new DataView(content.buffer, content.byteOffset, 13);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth, colourType, compression, filter, interlace] = content.subarray(
    8,
  ) as unknown as [number, number, number, number, number];
  const kind = COLOUR_TYPES.get(colourType);
  if (!kind?.depths.includes(depth)) {
    throw badImage(
      source,
      `colour type ${colourType} of ${depth} bits`,
      "a pair that PNG defines",
    );
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw badImage(
      source,
      `compression ${compression}, filter ${filter}, interlace ${interlace}`,
      "0, 0, and 0 or 1",
    );
  }
  checkSides(height, width, limits);
  return {
    layout: {
      width,
      height,
      depth,
      colourType,
      samples: kind.samples,
      bitsPerPixel: kind.samples * depth,
    },
    interlaced: interlace === 1,
  };
}

function inflate(
  compressed: Uint8Array[],
  length: number,
  source: string,
): Uint8Array {
  const total = compressed.reduce((sum, part) => sum + part.length, 0);
  if (length > (total + 1) * LARGEST_EXPANSION) {
    throw badImage(
      source,
      `${total} compressed bytes`,
      `enough for ${length} bytes of pixels`,
    );
  }
  let stream: Buffer;
  try {
    stream = zlib().inflateSync(
      compressed.length === 1 ? compressed[0]! : Buffer.concat(compressed),
      {
        maxOutputLength: length,
        // One piece: more than one would be copied together, and take twice
        // the memory.
        chunkSize: length + 64,
      },
    );
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badImage(
      source,
      `compressed pixels that are damaged or cut off (${reason})`,
      `${length} bytes`,
      cause,
    );
  }
  if (stream.length !== length) {
    throw badImage(source, `${stream.length} bytes of pixels`, `${length}`);
  }
  // Loops over a Buffer are slower than over what it wraps.
  return new Uint8Array(stream.buffer, stream.byteOffset, length);
}
