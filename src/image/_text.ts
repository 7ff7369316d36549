import { zlib } from "../_node.ts";
import { GLYPHS } from "./_glyphs.ts";

/** An RGB image that is drawn upon. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Red, green and blue in `[0, 255]`. */
export type Colour = readonly [number, number, number];

interface Glyph {
  advance: number;
  left: number;
  top: number;
  width: number;
  height: number;
  /** How much of each pixel is covered, 0 to 15. */
  cover: Uint8Array;
}

interface Font {
  line: number;
  glyphs: Map<number, Glyph>;
  /** Whole pixels a pixel of the font. */
  scale: number;
}

const SIZES = [24, 16, 12] as const;
const ELLIPSIS = "…";
const BLACK: Colour = [0, 0, 0];

const unpacked = new Map<number, Map<number, Glyph>>();

/** The largest font that is not larger than `size` pixels; at least 12. */
function fontOf(size: number): Font {
  const base = SIZES.find((one) => one <= size) ?? 12;
  let glyphs = unpacked.get(base);
  if (!glyphs) {
    glyphs = unpack(GLYPHS[base].packed);
    unpacked.set(base, glyphs);
  }
  const scale = Math.max(1, Math.floor(size / base));
  return { line: GLYPHS[base].line * scale, glyphs, scale };
}

/** The size of letters that suits a picture of this width. */
export function fontSizeFor(width: number): number {
  if (width < 192) return 12;
  if (width < 384) return 16;
  return 24 * Math.floor(width / 384);
}

/** Pixels from one line of text to the next. */
export function lineHeight(size: number): number {
  return fontOf(size).line;
}

/**
 * Whether there is a letter for every character: Latin, Greek and Cyrillic,
 * with the usual signs.
 */
export function isDrawable(text: string): boolean {
  const { glyphs } = fontOf(12);
  return Array.from(text.normalize()).every((character) =>
    glyphs.has(character.codePointAt(0)!)
  );
}

/** How wide a line of text is, in pixels. */
export function textWidth(text: string, size: number): number {
  const font = fontOf(size);
  return glyphsOf(text, font)
    .reduce((sum, { advance }) => sum + advance * font.scale, 0);
}

/**
 * Draws a line of text on an RGB canvas, its edges smooth. A character that the
 * font lacks becomes an empty box; what lies outside the canvas is left out.
 */
export function drawText(
  canvas: Canvas,
  text: string,
  place: {
    /** Column of the left end. */
    x: number;
    /** Row of the upper end. */
    y: number;
    /** Height of the letters' square in pixels: 12, 16, 24, or a multiple of 24. */
    size: number;
    colour?: Colour;
  },
): void {
  const font = fontOf(place.size);
  let { x } = place;
  for (const glyph of glyphsOf(text, font)) {
    drawGlyph(canvas, glyph, {
      x: x + glyph.left * font.scale,
      y: place.y + glyph.top * font.scale,
      scale: font.scale,
      colour: place.colour ?? BLACK,
    });
    x += glyph.advance * font.scale;
  }
}

/** The text, or its beginning and "…" where it is wider than `width` pixels. */
export function shorten(text: string, width: number, size: number): string {
  if (textWidth(text, size) <= width) return text;
  const characters = Array.from(text.normalize());
  let kept = characters.length;
  let shorter: string;
  do {
    kept--;
    shorter = characters.slice(0, kept).join("").trimEnd() + ELLIPSIS;
  } while (kept > 0 && textWidth(shorter, size) > width);
  return kept > 0 ? shorter : "";
}

/** Breaks a text at spaces into lines that are at most `width` pixels wide. */
export function wrap(text: string, width: number, size: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line ? `${line} ${word}` : word;
    if (line && textWidth(longer, size) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((one) => shorten(one, width, size));
}

function glyphsOf(text: string, { glyphs }: Font): Glyph[] {
  return Array.from(
    text.normalize(),
    (character) => glyphs.get(character.codePointAt(0)!) ?? box(glyphs),
  );
}

/** An empty box as high and wide as an "H". */
function box(glyphs: Map<number, Glyph>): Glyph {
  const model = glyphs.get("H".charCodeAt(0))!;
  const { width, height } = model;
  const cover = Uint8Array.from({ length: width * height }, (_, i) => {
    const x = i % width;
    const y = Math.floor(i / width);
    return x % (width - 1) === 0 || y % (height - 1) === 0 ? 15 : 0;
  });
  return { ...model, cover };
}

function drawGlyph(
  { width, height, data }: Canvas,
  glyph: Glyph,
  place: { x: number; y: number; scale: number; colour: Colour },
): void {
  const { x, y, scale, colour } = place;
  for (let row = 0; row < glyph.height * scale; row++) {
    const atY = y + row;
    if (atY < 0 || atY >= height) continue;
    const line = Math.floor(row / scale) * glyph.width;
    for (let column = 0; column < glyph.width * scale; column++) {
      const atX = x + column;
      if (atX < 0 || atX >= width) continue;
      const share = glyph.cover[line + Math.floor(column / scale)]! / 15;
      const at = (atY * width + atX) * 3;
      for (let c = 0; c < 3; c++) {
        data[at + c] = Math.round(
          data[at + c]! * (1 - share) + colour[c]! * share,
        );
      }
    }
  }
}

/** Reads what scripts/fixtures/image_glyphs.py packed. */
function unpack(packed: string): Map<number, Glyph> {
  const bytes = zlib().inflateRawSync(
    Uint8Array.from(atob(packed), (character) => character.charCodeAt(0)),
  );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const glyphs = new Map<number, Glyph>();
  for (let at = 0; at < bytes.length;) {
    const code = view.getUint16(at) * 256 + view.getUint8(at + 2);
    const width = view.getUint8(at + 6);
    const height = view.getUint8(at + 7);
    const cover = Uint8Array.from({ length: width * height }, (_, i) => {
      const pair = view.getUint8(at + 8 + (i >> 1));
      return i % 2 === 0 ? pair >> 4 : pair & 15;
    });
    glyphs.set(code, {
      advance: view.getUint8(at + 3),
      left: view.getInt8(at + 4),
      top: view.getInt8(at + 5),
      width,
      height,
      cover,
    });
    at += 8 + Math.ceil(width * height / 2);
  }
  return glyphs;
}
