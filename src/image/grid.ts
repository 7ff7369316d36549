import { GapcamError } from "../error.ts";
import {
  drawText,
  fontSizeFor,
  lineHeight,
  shorten,
  textWidth,
} from "./_text.ts";
import { checkImage, type Image } from "./image.ts";
import { toRgb } from "./to_rgb.ts";

/** How {@linkcode grid} lays out its tiles. */
export interface GridOptions {
  /** Tiles in a row; as near to a square as can be if left out. */
  columns?: number;
  /**
   * What to write below each tile, one a tile: Latin, Greek or Cyrillic (other
   * characters become empty boxes); `\n` starts another line, and what is wider
   * than the tile is cut and ends in "…".
   */
  labels?: readonly string[];
  /** Pixels between tiles and around all; 4 if left out. */
  padding?: number;
}

/**
 * Puts images onto one white sheet, row by row, each with its label below.
 *
 * All cells are as large as the largest image; a smaller one is centred. The
 * letters are 12 pixels high, and larger in cells of 192 pixels and more.
 *
 * @param images At least one image, of any sizes and channels.
 * @param options Columns, labels and padding.
 * @returns An RGB image.
 * @throws {GapcamError} If there is no image, if there are not as many labels
 * as images, or if columns or padding are not whole numbers in range.
 *
 * @example Three tiles in two columns
 * ```ts
 * import { grid } from "@gapcam/gapcam/image";
 *
 * const tile = { width: 32, height: 32, channels: 1, data: new Uint8Array(1024) } as const;
 * const sheet = grid([tile, tile, tile], { columns: 2, padding: 1 });
 * if (sheet.width !== 67 || sheet.height !== 67) throw new Error();
 * ```
 */
export function grid(
  images: readonly Image[],
  options: GridOptions = {},
): Image {
  const columns = options.columns ?? Math.ceil(Math.sqrt(images.length));
  const padding = options.padding ?? 4;
  const labels = options.labels?.map((label) => label.split("\n"));
  check(images, { columns, padding, labels });
  const across = Math.min(columns, images.length);
  const down = Math.ceil(images.length / across);
  const tileWidth = Math.max(...images.map((image) => image.width));
  const tileHeight = Math.max(...images.map((image) => image.height));
  const size = fontSizeFor(tileWidth);
  const line = lineHeight(size);
  const lines = Math.max(0, ...labels?.map((label) => label.length) ?? []);
  const stepX = tileWidth + padding;
  const stepY = tileHeight + lines * line + padding;
  const width = across * stepX + padding;
  const height = down * stepY + padding;
  const data = new Uint8Array(width * height * 3).fill(255);
  images.forEach((image, i) => {
    const x = padding + (i % across) * stepX;
    const y = padding + Math.floor(i / across) * stepY;
    const top = y + Math.floor((tileHeight - image.height) / 2);
    const left = x + Math.floor((tileWidth - image.width) / 2);
    const { data: pixels } = toRgb(image);
    for (let row = 0; row < image.height; row++) {
      const from = row * image.width * 3;
      data.set(
        pixels.subarray(from, from + image.width * 3),
        ((top + row) * width + left) * 3,
      );
    }
    labels?.[i]?.forEach((label, n) => {
      const text = shorten(label, tileWidth, size);
      drawText({ width, height, data }, text, {
        x: x + Math.floor((tileWidth - textWidth(text, size)) / 2),
        y: y + tileHeight + n * line,
        size,
      });
    });
  });
  return { width, height, channels: 3, data };
}

function check(
  images: readonly Image[],
  { columns, padding, labels }: {
    columns: number;
    padding: number;
    labels: string[][] | undefined;
  },
): void {
  function fail(found: string, expected: string): never {
    throw new GapcamError(
      "invalid-argument",
      `Cannot lay out grid: found ${found}, expected ${expected}`,
    );
  }
  if (images.length === 0) fail("no image", "at least one");
  for (const image of images) checkImage(image, "lay out grid");
  if (!Number.isSafeInteger(columns) || columns < 1) {
    fail(`${columns} columns`, "a positive whole number");
  }
  if (!Number.isSafeInteger(padding) || padding < 0) {
    fail(`padding ${padding}`, "a whole number, at least 0");
  }
  if (labels && labels.length !== images.length) {
    fail(`${labels.length} labels`, `${images.length}, one for each image`);
  }
}
