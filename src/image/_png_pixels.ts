import { badImage } from "./_decode_error.ts";

/** How a PNG file holds its pixels. */
export interface PngLayout {
  width: number;
  height: number;
  /** Bits a sample. */
  depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha. */
  colourType: number;
  /** Samples a pixel. */
  samples: number;
  bitsPerPixel: number;
  /** Red, green and blue of each index, for colour type 3. */
  palette?: Uint8Array;
}

/** The pixels of one pass: all of them, or one of Adam7's seven subsets. */
export interface PngPass {
  /** First column and row. */
  x: number;
  y: number;
  /** Steps to the next column and row. */
  dx: number;
  dy: number;
  columns: number;
  rows: number;
}

/**
 * Undoes the filters of one pass, in place, and puts its pixels where they
 * belong: one byte for grey, three for colours, without alpha.
 *
 * @returns The offset of the next pass in the stream.
 */
export function unpackPixels(
  stream: Uint8Array,
  offset: number,
  { layout, pass, target, source }: {
    layout: PngLayout;
    pass: PngPass;
    target: Uint8Array;
    source: string;
  },
): number {
  const rowLength = Math.ceil(pass.columns * layout.bitsPerPixel / 8);
  const step = Math.max(1, layout.bitsPerPixel >> 3);
  const write = rowWriter(layout, source);
  let above = new Uint8Array(rowLength);
  for (let row = 0; row < pass.rows; row++) {
    const filter = stream[offset]!;
    const line = stream.subarray(offset + 1, offset + 1 + rowLength);
    if (filter > 4) throw badImage(source, `row filter ${filter}`, "0 to 4");
    undoFilter(filter, line, above, step);
    const start = (pass.y + row * pass.dy) * layout.width + pass.x;
    write(line, pass.columns, { target, start, dx: pass.dx });
    above = line as Uint8Array<ArrayBuffer>;
    offset += 1 + rowLength;
  }
  return offset;
}

function undoFilter(
  filter: number,
  line: Uint8Array,
  above: Uint8Array,
  step: number,
): void {
  const length = line.length;
  switch (filter) {
    case 1:
      for (let i = step; i < length; i++) {
        line[i] = line[i]! + line[i - step]!;
      }
      return;
    case 2:
      for (let i = 0; i < length; i++) line[i] = line[i]! + above[i]!;
      return;
    case 3:
      for (let i = 0; i < length; i++) {
        const left = i < step ? 0 : line[i - step]!;
        line[i] = line[i]! + ((left + above[i]!) >> 1);
      }
      return;
    case 4:
      // Without left neighbours, Paeth's choice is the byte above.
      for (let i = 0; i < step && i < length; i++) {
        line[i] = line[i]! + above[i]!;
      }
      for (let i = step; i < length; i++) {
        const left = line[i - step]!;
        const up = above[i]!;
        const corner = above[i - step]!;
        const toLeft = Math.abs(up - corner);
        const toUp = Math.abs(left - corner);
        const toCorner = Math.abs(left + up - 2 * corner);
        const nearest = toLeft <= toUp && toLeft <= toCorner
          ? left
          : toUp <= toCorner
          ? up
          : corner;
        line[i] = line[i]! + nearest;
      }
  }
}

type RowWriter = (
  line: Uint8Array,
  columns: number,
  place: { target: Uint8Array; start: number; dx: number },
) => void;

function rowWriter(layout: PngLayout, source: string): RowWriter {
  const { colourType, depth, samples, palette } = layout;
  if (colourType === 3) return paletteWriter(palette!, depth, source);
  if (depth < 8) {
    const scale = 255 / ((1 << depth) - 1);
    return (line, columns, { target, start, dx }) => {
      for (let i = 0; i < columns; i++) {
        target[start + i * dx] = sampleAt(line, i, depth) * scale;
      }
    };
  }
  // Of 16 bits, the high byte comes first and is kept.
  const bytes = depth / 8;
  const stride = samples * bytes;
  if (samples < 3) {
    return (line, columns, { target, start, dx }) => {
      for (let i = 0; i < columns; i++) {
        target[start + i * dx] = line[i * stride]!;
      }
    };
  }
  return (line, columns, { target, start, dx }) => {
    for (let i = 0, from = 0; i < columns; i++, from += stride) {
      const to = (start + i * dx) * 3;
      target[to] = line[from]!;
      target[to + 1] = line[from + bytes]!;
      target[to + 2] = line[from + 2 * bytes]!;
    }
  };
}

function paletteWriter(
  palette: Uint8Array,
  depth: number,
  source: string,
): RowWriter {
  const colours = palette.length / 3;
  return (line, columns, { target, start, dx }) => {
    for (let i = 0; i < columns; i++) {
      const index = sampleAt(line, i, depth);
      if (index >= colours) {
        throw badImage(source, `palette index ${index}`, `below ${colours}`);
      }
      const to = (start + i * dx) * 3;
      target[to] = palette[index * 3]!;
      target[to + 1] = palette[index * 3 + 1]!;
      target[to + 2] = palette[index * 3 + 2]!;
    }
  };
}

/** Sample `i` of a row of 1, 2, 4 or 8 bits each, the first in the high bits. */
function sampleAt(line: Uint8Array, i: number, depth: number): number {
  if (depth === 8) return line[i]!;
  const bit = i * depth;
  const shift = 8 - depth - (bit & 7);
  return (line[bit >> 3]! >> shift) & ((1 << depth) - 1);
}
