import { zlib } from "../_node.ts";
import { GapcamError } from "../error.ts";
import { pngData } from "./_png_data.ts";
import { textChunk } from "./_png_text.ts";
import { checkImage, type Image } from "./image.ts";

/** How {@linkcode encodePng} writes. */
export interface PngOptions {
  /**
   * Texts to keep in the file, by keyword: 1 to 79 Latin-1 characters, such as
   * `"Title"`. A value that is not Latin-1 is kept as UTF-8.
   */
  text?: Readonly<Record<string, string>>;
  /** 0 (fast) to 9 (small); 6 if left out. */
  compressionLevel?: number;
}

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const COLOUR_TYPES = { 1: 0, 3: 2, 4: 6 } as const;
const LARGEST = 2 ** 31 - 1;

/**
 * Writes an image as a PNG file: 8-bit grey, RGB or RGBA, not interlaced
 * (W3C, "Portable Network Graphics Specification, Third Edition").
 *
 * Each row gets the filter whose output has the smallest sum of absolute
 * differences, the heuristic which that specification recommends.
 *
 * @param image The image.
 * @param options Texts to store, and how hard to compress.
 * @returns The bytes of the file.
 * @throws {GapcamError} If the image does not hold what its sides say, if a
 * keyword or text cannot be stored, or if the image is beyond 2 GB.
 *
 * @example A grey pixel with a title
 * ```ts
 * import { encodePng } from "@gapcam/gapcam";
 *
 * const image = { width: 1, height: 1, channels: 1, data: Uint8Array.of(128) } as const;
 * const bytes = encodePng(image, { text: { Title: "One pixel" } });
 * if (bytes[1] !== "P".charCodeAt(0)) throw new Error();
 * ```
 */
export function encodePng(
  image: Image,
  options: PngOptions = {},
): Uint8Array<ArrayBuffer> {
  checkImage(image, "encode PNG");
  const { width, height, channels, data } = image;
  const level = options.compressionLevel ?? 6;
  if (!Number.isInteger(level) || level < 0 || level > 9) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot encode PNG: found compression level ${level}, expected 0 to 9`,
    );
  }
  if (height * (width * channels + 1) > LARGEST) {
    throw new GapcamError(
      "unsupported",
      `Cannot encode PNG: found ${height}x${width} pixels of ${channels} ` +
        `channels, expected less than 2 GB`,
    );
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  header[9] = COLOUR_TYPES[channels];
  const chunks = [
    SIGNATURE,
    chunk("IHDR", header),
    ...Object.entries(options.text ?? {}).map(([keyword, value]) => {
      const { type, content } = textChunk(keyword, value);
      return chunk(type, content);
    }),
    ...Array.from(
      pngData(data, { height, width, channels, level }),
      (piece) => chunk("IDAT", piece),
    ),
    chunk("IEND", new Uint8Array(0)),
  ];
  const length = chunks.reduce((sum, part) => sum + part.length, 0);
  const file = new Uint8Array(length);
  let offset = 0;
  for (const part of chunks) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(content.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(content, 8);
  view.setUint32(
    content.length + 8,
    zlib().crc32(bytes.subarray(4, content.length + 8)),
  );
  return bytes;
}
