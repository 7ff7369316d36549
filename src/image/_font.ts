/** Pixels from one character to the next, and from one line of text to the next. */
export const ADVANCE = 6;
export const LINE_HEIGHT = 10;

// The characters 32 to 126, each 5 pixels wide and 8 high, the last row below
// the base line. A row is one digit in base 32, its highest bit leftmost: "e"
// is .###. and "h" is #...#.
const GLYPHS =
  "00000000 44444040 aa000000 aavavaa0 4fke5u40 pp248jj0 cik8lid0 44000000 " +
  "24888420 84222480 04lel400 044v4400 00000c48 000v0000 00000cc0 01248g00 " +
  "ehjlphe0 4c4444e0 eh1248v0 v2421he0 26aiv220 vgu11he0 68guhhe0 v1248880 " +
  "ehhehhe0 ehhf12c0 0cc0cc00 0cc0c480 248g8420 00v0v000 84212480 eh124040 " +
  "eh1dlle0 ehhvhhh0 uhhuhhu0 ehggghe0 sihhhis0 vgguggv0 vgguggg0 ehgnhhf0 " +
  "hhhvhhh0 e44444e0 72222ic0 hikokih0 ggggggv0 hrllhhh0 hhpljhh0 ehhhhhe0 " +
  "uhhuggg0 ehhhlid0 uhhukih0 fgge11u0 v4444440 hhhhhhe0 hhhhha40 hhhllrh0 " +
  "hha4ahh0 hha44440 v1248gv0 e88888e0 0g842100 e22222e0 4ah00000 0000000v " +
  "84000000 00e1fhf0 gguhhhu0 00egghe0 11fhhhf0 00ehvge0 698s8880 00fhhf1e " +
  "gguhhhh0 40c444e0 206222ic ggikoki0 c44444e0 00qllll0 00uhhhh0 00ehhhe0 " +
  "00uhhugg 00fhhf11 00mpggg0 00fge1u0 88s88960 00hhhjd0 00hhha40 00hllla0 " +
  "00ha4ah0 00hhhf1e 00v248v0 24484420 44444440 84424480 008l2000";

const ROWS = GLYPHS.split(" ").map((glyph) =>
  Array.from(glyph, (digit) => parseInt(digit, 32))
);

/** Where and how large a line of text is drawn. */
export interface TextPlace {
  /** Column of the left end. */
  x: number;
  /** Row of the upper end. */
  y: number;
  /** Whole pixels a pixel of the font. */
  scale: number;
}

/**
 * Draws a line of text in black on an RGB canvas. A character outside ASCII
 * becomes "?"; what lies outside the canvas is left out.
 */
export function drawText(
  canvas: { width: number; height: number; data: Uint8Array },
  text: string,
  { x, y, scale }: TextPlace,
): void {
  const { width, height, data } = canvas;
  let left = x;
  for (const character of text) {
    const rows = ROWS[character.codePointAt(0)! - 32] ?? ROWS[31]!;
    for (let row = 0; row < 8 * scale; row++) {
      const bits = rows[Math.floor(row / scale)]!;
      for (let column = 0; column < 5 * scale; column++) {
        if (!((bits >> (4 - Math.floor(column / scale))) & 1)) continue;
        const atX = left + column;
        const atY = y + row;
        if (atX < 0 || atX >= width || atY < 0 || atY >= height) continue;
        data.fill(0, (atY * width + atX) * 3, (atY * width + atX) * 3 + 3);
      }
    }
    left += ADVANCE * scale;
  }
}

/** The text, or its beginning and ".." where it is wider than `pixels`. */
export function shorten(text: string, pixels: number): string {
  const characters = Array.from(text);
  // The gap after the last character may stick out.
  const room = Math.floor((pixels + 1) / ADVANCE);
  if (characters.length <= room) return text;
  if (room < 3) return characters.slice(0, Math.max(room, 0)).join("");
  return `${characters.slice(0, room - 2).join("").trimEnd()}..`;
}
