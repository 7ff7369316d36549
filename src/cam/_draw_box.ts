import { outline } from "../image/_canvas.ts";
import type { Colour } from "../image/_text.ts";
import type { Region } from "../image/fit_image.ts";
import type { Image } from "../image/image.ts";

/** No colour map for maps has it, in the middle or at an end. */
const BOX: Colour = [0, 255, 190];
const AROUND: Colour = [0, 0, 0];

/** Draws a box on an RGB image, a bright line within a dark one. */
export function drawBox(canvas: Image, box: Region): void {
  const line = Math.max(
    1,
    Math.round(Math.min(canvas.height, canvas.width) / 150),
  );
  const x = Math.round(box.left);
  const y = Math.round(box.top);
  const width = Math.max(1, Math.round(box.left + box.width) - x);
  const height = Math.max(1, Math.round(box.top + box.height) - y);
  outline(canvas, { x, y, width, height }, AROUND, 2 * line);
  outline(canvas, { x, y, width, height }, BOX, line);
}
