import {
  badImage,
  checkSides,
  type DecodeLimits,
  unsupportedImage,
} from "./_decode_error.ts";
import { exifOrientation, isExif, xmpOrientation } from "./_exif.ts";

/** A JPEG file, reduced to what its pixels need, and what its markers say. */
export interface JpegFile {
  /**
   * The file without its metadata, without what stands between segments, and
   * without what follows its end.
   */
  bytes: Uint8Array;
  /** Where in `bytes` the height stands, two of them. */
  heightAt: number;
  /** Where in `bytes` the codes of each scan begin. */
  scans: readonly number[];
  width: number;
  height: number;
  /** 1 (grey), 3 (YCbCr or RGB) or 4 (CMYK or YCCK). */
  components: number;
  /** Rows of blocks that are coded together: the largest vertical sampling factor. */
  blockRows: number;
  /** Whether libjpeg smooths some component between rows. */
  interpolatesRows: boolean;
  /** Whether all of the file is read before the first row can be shown. */
  readFirst: boolean;
  /** How to turn the picture, 1 to 8 as in EXIF. */
  orientation: number;
}

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const COM = 0xfe;
const APP1 = 0xe1;
const XMP = "http://ns.adobe.com/xap/1.0/\0";
/** Real progressive files have about ten. */
const MOST_SCANS = 100;

/**
 * Walks over all markers of a JPEG file, up to its end, before anything is
 * decoded: sides, components, orientation; and whether the file is whole.
 *
 * Profiles, thumbnails and the like, whole or not, have no say in the pixels,
 * and go; so does what no marker announces.
 */
export function readJpegFile(
  bytes: Uint8Array,
  limits: DecodeLimits,
): JpegFile {
  const { source } = limits;
  const parts: Uint8Array[] = [bytes.subarray(0, 2)];
  let length = 2;
  const keep = (from: number, to: number) => {
    parts.push(bytes.subarray(from, to));
    length += to - from;
  };
  const scans: number[] = [];
  let frame: JpegFrame | undefined;
  let heightAt = 0;
  let readFirst = false;
  let exif: Uint8Array | undefined;
  let xmp: string | undefined;
  let scanned = 0;
  let offset = 2;
  while (true) {
    const marker = nextMarker(bytes, offset);
    if (marker < 0) {
      throw badImage(source, "the end of the file", "more of the JPEG data");
    }
    offset = marker + 2;
    const type = bytes[marker + 1]!;
    if (type === EOI) {
      keep(marker, offset);
      break;
    }
    if (type === SOI || type === 1 || isRestart(type)) continue;
    const size = bytes[offset]! * 256 + bytes[offset + 1]!;
    if (!(size >= 2 && offset + size <= bytes.length)) {
      throw badImage(
        source,
        `${bytes.length - offset} bytes at JPEG marker ff ${type.toString(16)}`,
        "a whole segment",
      );
    }
    const segment = bytes.subarray(offset + 2, offset + size);
    offset += size;
    if (type === SOS) {
      if (!frame) throw badImage(source, "a JPEG scan first", "a frame header");
      readFirst ||= frame.progressive || segment[0]! < frame.components;
      scans.push(length + offset - marker);
      const end = endOfScan(bytes, offset);
      keep(marker, end);
      scanned += end - offset;
      // Each scan walks over the whole picture, however few bytes it has.
      if (scans.length > MOST_SCANS) {
        throw badImage(source, `over ${MOST_SCANS} JPEG scans`, "fewer");
      }
      offset = end;
    } else if (isFrame(type)) {
      if (frame) throw badImage(source, "a second JPEG frame", "one");
      frame = readFrame(type, segment, limits);
      heightAt = length + 5;
      keep(marker, offset);
    } else if (type === APP1) {
      // Of several, the first counts.
      if (isExif(segment)) exif ??= segment;
      else if (startsWith(segment, XMP)) xmp ??= latin(segment);
    } else if (type === 0xee && startsWith(segment, "Adobe")) {
      // A shorter one is none, and a transform that is unknown is YCbCr's.
      if (segment.length >= 12 && segment[11]! <= 2) keep(marker, offset);
    } else if (type === 0xe0 && startsWith(segment, "JFIF\0")) {
      parts.push(JFIF);
      length += JFIF.length;
    } else if (type < 0xe0 || type > COM) {
      keep(marker, offset);
    }
  }
  if (!frame || scanned === 0) {
    throw badImage(source, "no pixels before the end marker", "a JPEG scan");
  }
  // A header cannot claim much more than the file holds.
  if (scanned * 8 < frame.leastBits) {
    throw badImage(
      source,
      `${scanned} bytes of JPEG scans`,
      `at least ${
        Math.ceil(frame.leastBits / 8)
      } for ${frame.height}x${frame.width} pixels`,
    );
  }
  const orientation = (exif && exifOrientation(exif)) ??
    (xmp === undefined ? undefined : xmpOrientation(xmp)) ?? 1;
  const whole = concatenate(parts, length);
  // One component alone is coded block by block: its factors mean nothing.
  if (frame.components === 1) whole[heightAt + 6] = 0x11;
  // Nor does the band of coefficients where all stand in one scan.
  if (!frame.progressive) {
    for (const scan of scans) whole.set([0, 63, 0], scan - 3);
  }
  return {
    ...frame,
    bytes: whole,
    heightAt,
    scans,
    readFirst,
    orientation,
  };
}

/** Says that colours are those of JFIF: grey or YCbCr. */
const JFIF = Uint8Array.of(
  ...[0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0],
  ...[1, 1, 0, 0, 1, 0, 1, 0, 0],
);

interface JpegFrame {
  width: number;
  height: number;
  components: number;
  progressive: boolean;
  blockRows: number;
  interpolatesRows: boolean;
  /** The fewest bits that all blocks of 8x8 samples can take. */
  leastBits: number;
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
  while (at >= 0 && isRestart(bytes[at + 1]!)) {
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
  const arithmetic = type === 0xc9 || type === 0xca;
  if (type > 0xc2 && !arithmetic) {
    throw unsupportedImage(
      source,
      "JPEG with lossless or hierarchical coding",
      "baseline or progressive coding",
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
  const progressive = type === 0xc2 || type === 0xca;
  return {
    width,
    height,
    components,
    progressive,
    blockRows: components === 1 ? 1 : down,
    interpolatesRows: factors.some((factor) =>
      factor.down * 2 === down &&
      (factor.across === across ||
        factor.across * 2 === across &&
          Math.ceil(width * factor.across / across) > 2)
    ),
    // Each block takes a bit or more in the first scan, and two or more in a
    // sequential file; arithmetic coding knows no such bound.
    leastBits: arithmetic ? 0 : blocks * (progressive ? 1 : 2),
  };
}

function isRestart(type: number): boolean {
  return type >= 0xd0 && type <= 0xd7;
}

function startsWith(segment: Uint8Array, text: string): boolean {
  return Array.from(text).every((c, i) => segment[i] === c.charCodeAt(0));
}

function latin(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

function concatenate(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
