import {
  badImage,
  checkSides,
  type DecodeLimits,
  unsupportedImage,
} from "./_decode_error.ts";

/** What the markers of a JPEG file say. */
export interface JpegHeader {
  width: number;
  height: number;
  /** 1 (grey), 3 (YCbCr or RGB) or 4 (CMYK or YCCK). */
  components: number;
  /** How to turn the picture, 1 to 8 as in EXIF. */
  orientation: number;
  /** Whether an Adobe segment says how the colours are stored. */
  adobe: boolean;
}

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
/** Real progressive files have about ten. */
const MOST_SCANS = 100;

/**
 * Walks over all markers of a JPEG file, up to its end, before anything is
 * decoded: sides, components, orientation; and whether the file is whole.
 */
export function readJpegHeader(
  bytes: Uint8Array,
  limits: DecodeLimits,
): JpegHeader {
  const { source } = limits;
  let frame: JpegFrame | undefined;
  let orientation = 1;
  let adobe = false;
  let scanned = 0;
  let scans = 0;
  let offset = 2;
  while (true) {
    const marker = nextMarker(bytes, offset);
    if (marker < 0) {
      throw badImage(source, "the end of the file", "more of the JPEG data");
    }
    offset = marker + 2;
    const type = bytes[marker + 1]!;
    if (type === EOI) break;
    if (type === SOI || type === 1 || (type >= 0xd0 && type <= 0xd7)) continue;
    const length = bytes[offset]! * 256 + bytes[offset + 1]!;
    if (!(length >= 2 && offset + length <= bytes.length)) {
      throw badImage(
        source,
        `${bytes.length - offset} bytes at JPEG marker ff ${type.toString(16)}`,
        "a whole segment",
      );
    }
    const segment = bytes.subarray(offset + 2, offset + length);
    offset += length;
    if (type === SOS) {
      if (!frame) throw badImage(source, "a JPEG scan first", "a frame header");
      const end = endOfScan(bytes, offset);
      scanned += end - offset;
      // Each scan walks over the whole picture, however few bytes it has.
      if (++scans > MOST_SCANS) {
        throw badImage(source, `over ${MOST_SCANS} JPEG scans`, "fewer");
      }
      offset = end;
    } else if (isFrame(type)) {
      if (frame) throw badImage(source, "a second JPEG frame", "one");
      frame = readFrame(type, segment, limits);
    } else if (type === 0xe1) {
      orientation = readOrientation(segment) ?? orientation;
    } else if (type === 0xee && startsWith(segment, "Adobe")) {
      adobe = segment.length >= 12;
    }
  }
  if (!frame || scanned === 0) {
    throw badImage(source, "no pixels before the end marker", "a JPEG scan");
  }
  // Each block takes a bit or more in the first scan, and two or more in a
  // sequential file: a header cannot claim much more than the file holds.
  const leastBits = frame.blocks * (frame.progressive ? 1 : 2);
  if (scanned * 8 < leastBits) {
    throw badImage(
      source,
      `${scanned} bytes of JPEG scans`,
      `at least ${
        Math.ceil(leastBits / 8)
      } for ${frame.height}x${frame.width} ` +
        `pixels`,
    );
  }
  const { width, height, components } = frame;
  return { width, height, components, orientation, adobe };
}

interface JpegFrame {
  width: number;
  height: number;
  components: number;
  progressive: boolean;
  /** Blocks of 8x8 samples over all components. */
  blocks: number;
}

/** The offset of the next marker's 0xff byte, or -1. */
function nextMarker(bytes: Uint8Array, offset: number): number {
  let at = bytes.indexOf(0xff, offset);
  while (at >= 0 && at + 1 < bytes.length) {
    const type = bytes[at + 1]!;
    if (type !== 0 && type !== 0xff) return at;
    at = bytes.indexOf(0xff, at + 1);
  }
  return -1;
}

/** The offset of the marker that ends a scan: any but a restart. */
function endOfScan(bytes: Uint8Array, offset: number): number {
  let at = nextMarker(bytes, offset);
  while (at >= 0 && bytes[at + 1]! >= 0xd0 && bytes[at + 1]! <= 0xd7) {
    at = nextMarker(bytes, at + 2);
  }
  return at < 0 ? bytes.length : at;
}

/** SOF0 to SOF15, without the three codes among them that are no frames. */
function isFrame(type: number): boolean {
  return type >= 0xc0 && type <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(type);
}

function readFrame(
  type: number,
  segment: Uint8Array,
  limits: DecodeLimits,
): JpegFrame {
  const { source } = limits;
  if (type > 0xc2) {
    const kind = type >= 0xc9 ? "arithmetic" : "lossless or hierarchical";
    throw unsupportedImage(
      source,
      `JPEG with ${kind} coding`,
      "baseline or progressive Huffman coding",
    );
  }
  const components = segment[5] ?? 0;
  if (segment.length < 6 + 3 * components) {
    throw badImage(
      source,
      `a JPEG frame header of ${segment.length} bytes`,
      `${6 + 3 * components}`,
    );
  }
  if (segment[0] !== 8) {
    throw unsupportedImage(source, `JPEG of ${segment[0]} bits`, "8 bits");
  }
  if (![1, 3, 4].includes(components)) {
    throw badImage(source, `${components} JPEG components`, "1, 3 or 4");
  }
  const height = segment[1]! * 256 + segment[2]!;
  const width = segment[3]! * 256 + segment[4]!;
  checkSides(height, width, limits);
  const factors = Array.from({ length: components }, (_, i) => {
    const packed = segment[7 + 3 * i]!;
    return { across: packed >> 4, down: packed & 15 };
  });
  if (
    factors.some(({ across, down }) =>
      across < 1 || across > 4 || down < 1 || down > 4
    )
  ) {
    throw badImage(source, "JPEG sampling factors beyond 4", "1 to 4");
  }
  const across = Math.max(...factors.map((factor) => factor.across));
  const down = Math.max(...factors.map((factor) => factor.down));
  const blocks = factors.reduce(
    (sum, factor) =>
      sum +
      Math.ceil(Math.ceil(width * factor.across / across) / 8) *
        Math.ceil(Math.ceil(height * factor.down / down) / 8),
    0,
  );
  return { width, height, components, progressive: type === 0xc2, blocks };
}

function startsWith(segment: Uint8Array, text: string): boolean {
  return Array.from(text).every((c, i) => segment[i] === c.charCodeAt(0));
}

/** The orientation in an EXIF segment; undefined if it has none that makes sense. */
function readOrientation(segment: Uint8Array): number | undefined {
  if (!startsWith(segment, "Exif\0\0") || segment.length < 14) return;
  const tiff = new DataView(
    segment.buffer,
    segment.byteOffset + 6,
    segment.length - 6,
  );
  const little = tiff.getUint16(0) === 0x4949;
  const directory = tiff.getUint32(4, little);
  if (directory + 2 > tiff.byteLength) return;
  const count = tiff.getUint16(directory, little);
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.byteLength) return;
    if (tiff.getUint16(entry, little) !== 0x0112) continue;
    const value = tiff.getUint16(entry + 8, little);
    return value >= 1 && value <= 8 ? value : undefined;
  }
  return;
}
