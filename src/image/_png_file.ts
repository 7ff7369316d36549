import { nodeBuffer, zlib } from "../_node.ts";
import {
  badImage,
  checkSides,
  type DecodeLimits,
  unsupportedImage,
} from "./_decode_error.ts";
import { exifOrientation, xmpOrientation } from "./_exif.ts";

/** A PNG file, reduced to what its pixels need, and what its chunks say. */
export interface PngFile {
  width: number;
  height: number;
  /** Bits a sample. */
  depth: number;
  /** 0, 2, 3, 4 or 6, as in PNG. */
  colourType: number;
  interlaced: boolean;
  /** How to turn the picture, 1 to 8 as in EXIF. */
  orientation: number;
  /** Bytes that all pixels take in the file before they are compressed, filters left out. */
  length: number;
  /** Signature, header, palette, transparency, each as a whole chunk. */
  start: Uint8Array[];
  /** The contents of all IDAT chunks. */
  compressed: Uint8Array;
}

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
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
/** The decoder holds all of an interlaced picture. */
const MOST_INTERLACED = 2 ** 28;
const LONGEST_TEXT = 2 ** 20;

/** Walks over the chunks of a PNG file before anything is decoded. */
export function readPngFile(bytes: Uint8Array, limits: DecodeLimits): PngFile {
  const { source } = limits;
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) {
    throw badImage(source, "a damaged signature", "that of PNG");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const compressed: Uint8Array[] = [];
  const start: Uint8Array[] = [SIGNATURE];
  let header: PngHeader | undefined;
  let palette = false;
  let exif: number | undefined;
  let text: number | undefined;
  let offset = 8;
  // A file without its last chunk, IEND, may have all pixels.
  while (offset + 8 <= bytes.length) {
    const length = view.getUint32(offset);
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    if (type === "IEND") break;
    const end = offset + 8 + length;
    // What is not read may be damaged; a critical chunk (upper case) may not.
    const critical = (bytes[offset + 4]! & 0x20) === 0;
    if (end + 4 > bytes.length) {
      if (!critical && compressed.length > 0) break;
      throw badImage(
        source,
        `${bytes.length - offset - 8} bytes at chunk ${printable(type)}`,
        `${length + 4}`,
      );
    }
    if (!/^[A-Za-z]{4}$/.test(type)) {
      throw badImage(source, "a chunk whose name is no letters", "PNG chunks");
    }
    const chunk = bytes.subarray(offset, end + 4);
    const content = bytes.subarray(offset + 8, end);
    offset = end + 4;
    if (
      critical && zlib().crc32(chunk.subarray(4, -4)) !== view.getUint32(end)
    ) {
      throw badImage(source, `a wrong checksum of ${type}`, "intact chunks");
    }
    if (!header && type !== "IHDR") {
      if (type === "CgBI") {
        throw unsupportedImage(
          source,
          "a PNG of Apple's own kind (CgBI, as Xcode writes)",
          "standard PNG; undo it with pngcrush -revert-iphone-optimizations",
        );
      }
      throw badImage(source, `chunk ${type} first`, "IHDR");
    }
    if (type === "IHDR") {
      if (header) throw badImage(source, "a second IHDR", "one");
      header = readHeader(content, limits);
      start.push(chunk);
    } else if (type === "PLTE") {
      if (length % 3 !== 0 || length === 0 || length > 768) {
        throw badImage(source, `a palette of ${length} bytes`, "3 to 768");
      }
      palette = true;
      // In pictures of other types it is a suggestion, which is not taken.
      if (header!.colourType === 3) start.push(chunk);
    } else if (type === "IDAT") {
      compressed.push(content);
    } else if (type === "eXIf") {
      exif ??= exifOrientation(content);
    } else if (type === "tRNS") {
      start.push(chunk);
    } else if (/^[tiz](EXt|TXt)$/.test(type)) {
      text ??= textOrientation(type, content);
    } else if (critical) {
      throw unsupportedImage(
        source,
        `the critical chunk ${type}`,
        "standard PNG",
      );
    }
  }
  if (!header || compressed.length === 0) {
    throw badImage(source, "the end of the file", "more PNG chunks");
  }
  if (header.colourType === 3 && !palette) {
    throw badImage(source, "no palette", "one");
  }
  const whole = compressed.length === 1
    ? compressed[0]!
    : nodeBuffer().Buffer.concat(compressed);
  if (header.length > (whole.length + 1) * LARGEST_EXPANSION) {
    throw badImage(
      source,
      `${whole.length} compressed bytes`,
      `enough for ${header.length} bytes of pixels`,
    );
  }
  return {
    ...header,
    orientation: exif ?? text ?? 1,
    start,
    compressed: whole,
  };
}

/** The file again, with all pixels in one chunk and nothing that they do not need. */
export function writePngFile(
  { start, compressed }: PngFile,
  options: { transparency: boolean },
): Uint8Array {
  const kept = options.transparency ? start : start.filter((chunk) =>
    // tRNS
    chunk[4] !== 0x74
  );
  return nodeBuffer().Buffer.concat([
    ...kept,
    ...chunkOf("IDAT", compressed),
    ...chunkOf("IEND", new Uint8Array(0)),
  ]);
}

function chunkOf(type: string, content: Uint8Array): Uint8Array[] {
  const { Buffer } = nodeBuffer();
  const start = Buffer.from(`0000${type}`, "latin1");
  start.writeUInt32BE(content.length);
  const end = Buffer.alloc(4);
  const { crc32 } = zlib();
  end.writeUInt32BE(crc32(content, crc32(start.subarray(4))));
  return [start, content, end];
}

type PngHeader = Omit<PngFile, "orientation" | "start" | "compressed">;

function readHeader(content: Uint8Array, limits: DecodeLimits): PngHeader {
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
  const length = height * Math.ceil(width * kind.samples * depth / 8);
  const interlaced = interlace === 1;
  if (interlaced && length > MOST_INTERLACED) {
    throw unsupportedImage(
      source,
      `${length} bytes of interlaced pixels`,
      `at most ${MOST_INTERLACED}`,
    );
  }
  return { width, height, depth, colourType, interlaced, length };
}

/** The orientation that a text chunk may hold: XMP, or EXIF as ImageMagick writes it. */
function textOrientation(
  type: string,
  content: Uint8Array,
): number | undefined {
  const nul = content.indexOf(0);
  const keyword = latin(content.subarray(0, Math.max(0, Math.min(nul, 79))));
  const exif = /^Raw profile type (exif|APP1)$/.test(keyword);
  if (!exif && keyword !== "XML:com.adobe.xmp") return;
  let value = content.subarray(nul + 1);
  let packed = type === "zTXt";
  if (type === "iTXt") {
    packed = value[0] === 1;
    // Flag and method of compression, language, translated keyword.
    const language = value.indexOf(0, 2);
    value = value.subarray(value.indexOf(0, language + 1) + 1);
  } else if (packed) value = value.subarray(1);
  try {
    const text = latin(
      packed
        ? zlib().inflateSync(value, { maxOutputLength: LONGEST_TEXT })
        : value,
    );
    if (!exif) return xmpOrientation(text);
    // A line of the kind and one of the length stand before the digits.
    const digits = text.trimStart().split("\n").slice(2).join("");
    return exifOrientation(nodeBuffer().Buffer.from(digits, "hex"));
  } catch {
    return;
  }
}

function latin(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

function printable(type: string): string {
  return /^[A-Za-z]{4}$/.test(type) ? type : "without a name";
}
