import {
  badImage,
  checkSides,
  type DecodeLimits,
  unsupportedImage,
} from "./_decode_error.ts";
import type { Image } from "./image.ts";

interface BmpHeader {
  width: number;
  height: number;
  /** Whether the first row is the upper one; most files begin with the lower. */
  topDown: boolean;
  /** Bits a pixel. */
  depth: number;
  /** Where the pixels begin. */
  pixels: number;
  /** Three bytes a colour: red, green, blue; none where pixels are colours. */
  palette: Uint8Array;
  /** Where red, green and blue stand in a pixel of 16 or 32 bits. */
  masks: readonly number[];
  /** Whether pixels are run lengths. */
  packed: boolean;
}

/** Decodes a BMP file: palettes, 16, 24 and 32 bits, run lengths. Alpha is dropped. */
export function decodeBmp(bytes: Uint8Array, limits: DecodeLimits): Image {
  const header = readHeader(bytes, limits);
  const { width, height, depth, palette } = header;
  const data = new Uint8Array(height * width * 3);
  const paint = header.palette.length > 0
    ? (at: number, index: number) => {
      // An index beyond the palette is black, as elsewhere.
      if (index * 3 >= palette.length) return;
      data.set(palette.subarray(index * 3, index * 3 + 3), at * 3);
    }
    : undefined;
  if (header.packed) {
    // What the runs jump over has the first colour.
    for (let at = 0; at < height * width; at++) paint!(at, 0);
    unpackRuns(bytes, header, limits, paint!);
    return { width, height, channels: 3, data };
  }
  const stride = Math.ceil(width * depth / 32) * 4;
  const missing = header.pixels + stride * height - bytes.length;
  // The padding of the last row is often left out.
  if (missing > stride - Math.ceil(width * depth / 8)) {
    throw badImage(
      limits.source,
      `${bytes.length - header.pixels} bytes of BMP pixels`,
      `${stride * height}`,
    );
  }
  const channels = paint ? [] : header.masks.map(channelOf);
  for (let row = 0; row < height; row++) {
    const from = header.pixels + row * stride;
    const at = (header.topDown ? row : height - 1 - row) * width;
    if (paint) {
      for (let x = 0; x < width; x++) {
        paint(at + x, sampleAt(bytes, from, x, depth));
      }
      continue;
    }
    const step = depth / 8;
    for (let x = 0; x < width; x++) {
      let value = 0;
      for (let i = step - 1; i >= 0; i--) {
        value = value * 256 + bytes[from + x * step + i]!;
      }
      channels.forEach(({ shift, largest }, c) => {
        data[(at + x) * 3 + c] = Math.trunc(
          ((value >>> shift) & largest) * 255 / largest,
        );
      });
    }
  }
  return { width, height, channels: 3, data };
}

function readHeader(bytes: Uint8Array, limits: DecodeLimits): BmpHeader {
  const { source } = limits;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.length < 18 ? 0 : view.getUint32(14, true);
  if (size < 12 || bytes.length < 14 + size) {
    throw badImage(source, `${bytes.length} bytes of BMP`, "a whole header");
  }
  const old = size < 40;
  const short = size === 12;
  const width = short ? view.getUint16(18, true) : view.getInt32(18, true);
  const signed = short ? view.getUint16(20, true) : view.getInt32(22, true);
  const depth = view.getUint16(short ? 24 : 28, true);
  const compression = old ? 0 : view.getUint32(30, true);
  const height = Math.abs(signed);
  checkSides(height, width, limits);
  const packed = compression === 1 && depth === 8 ||
    compression === 2 && depth === 4;
  const masked = (compression === 3 || compression === 6) &&
    (depth === 16 || depth === 32);
  if (
    ![1, 2, 4, 8, 16, 24, 32].includes(depth) ||
    !(compression === 0 || packed || masked)
  ) {
    throw unsupportedImage(
      source,
      `BMP of ${depth} bits with compression ${compression}`,
      "1 to 32 bits, plain, masked or run lengths",
    );
  }
  const masksInside = masked && size === 40 ? 12 : 0;
  const tableAt = 14 + size + masksInside;
  const pixels = view.getUint32(10, true);
  let palette = new Uint8Array(0);
  if (depth <= 8) {
    const step = short ? 3 : 4;
    const used = old ? 0 : view.getUint32(46, true);
    const room = Math.floor((pixels - tableAt) / step);
    const most = Math.min(used || 2 ** depth, 2 ** depth, Math.max(room, 0));
    palette = new Uint8Array(3 * most);
    for (let i = 0; i < most; i++) {
      for (let c = 0; c < 3; c++) {
        palette[3 * i + c] = bytes[tableAt + i * step + 2 - c]!;
      }
    }
    if (most === 0) throw badImage(source, "no BMP palette", "one");
  }
  const masks = masked
    ? [54, 58, 62].map((at) => view.getUint32(at, true))
    : depth === 16
    ? [0x7c00, 0x3e0, 0x1f]
    : [0xff0000, 0xff00, 0xff];
  if (masks.includes(0)) throw badImage(source, "an empty BMP mask", "three");
  return {
    width,
    height,
    topDown: signed < 0,
    depth,
    pixels,
    palette,
    masks,
    packed,
  };
}

function channelOf(mask: number): { shift: number; largest: number } {
  const shift = 31 - Math.clz32(mask & -mask);
  return { shift, largest: mask >>> shift };
}

function sampleAt(
  bytes: Uint8Array,
  from: number,
  x: number,
  depth: number,
): number {
  if (depth === 8) return bytes[from + x]!;
  const bit = x * depth;
  const shift = 8 - depth - (bit & 7);
  return (bytes[from + (bit >> 3)]! >> shift) & ((1 << depth) - 1);
}

/** Paints runs of equal pixels, runs of different ones, and jumps. */
function unpackRuns(
  bytes: Uint8Array,
  { width, height, topDown, depth, pixels }: BmpHeader,
  { source }: DecodeLimits,
  paint: (at: number, index: number) => void,
): void {
  let at = pixels;
  let x = 0;
  let row = 0;
  const half = depth === 4;
  const put = (value: number) => {
    if (x < width && row < height) {
      paint((topDown ? row : height - 1 - row) * width + x, value);
    }
    x++;
  };
  for (; at + 1 < bytes.length && row < height; at += 2) {
    const count = bytes[at]!;
    const value = bytes[at + 1]!;
    if (count > 0) {
      for (let i = 0; i < count; i++) {
        put(!half ? value : i % 2 === 0 ? value >> 4 : value & 15);
      }
    } else if (value === 0) {
      x = 0;
      row++;
    } else if (value === 1) {
      break;
    } else if (value === 2) {
      x += bytes[at + 2] ?? 0;
      row += bytes[at + 3] ?? 0;
      at += 2;
    } else {
      const length = half ? Math.ceil(value / 2) : value;
      for (let i = 0; i < value; i++) {
        const byte = bytes[at + 2 + (half ? i >> 1 : i)] ?? 0;
        put(!half ? byte : i % 2 === 0 ? byte >> 4 : byte & 15);
      }
      at += length + length % 2;
    }
  }
  // The mark of the end may be missing, or the last row's end, but no pixels.
  if (row < height && !(row === height - 1 && x >= width)) {
    throw badImage(source, `${row} rows of BMP`, `${height}`);
  }
}
