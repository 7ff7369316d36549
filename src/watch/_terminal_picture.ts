import { resizeBilinear } from "../image/resize_bilinear.ts";
import type { Image } from "../image/image.ts";
import { toRgb } from "../image/to_rgb.ts";

/** Columns of a terminal that a picture takes, at most. */
const MOST_COLUMNS = 80;

/**
 * A picture for a terminal with 24-bit colours: each character is the upper half
 * of a block, two pixels, one in the colour of letters and one in that of the
 * ground.
 */
export function terminalPicture(image: Image): string {
  const width = Math.min(MOST_COLUMNS, image.width);
  const rows = Math.max(1, Math.round(image.height * width / image.width / 2));
  const { data } = toRgb(resizeBilinear(image, 2 * rows, width));
  const colour = (x: number, y: number) =>
    data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3).join(";");
  const lines = Array.from({ length: rows }, (_, row) => {
    const line = Array.from(
      { length: width },
      (_, x) =>
        `\x1b[38;2;${colour(x, 2 * row)};48;2;${colour(x, 2 * row + 1)}m▀`,
    );
    return `${line.join("")}\x1b[0m`;
  });
  return lines.join("\n");
}
