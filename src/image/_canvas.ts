import type { Canvas, Colour } from "./_text.ts";
import type { Image } from "./image.ts";
import { toRgb } from "./to_rgb.ts";

/** A rectangle of whole pixels; what lies outside the canvas is left out. */
export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** An RGB image of one colour, white if left out, to draw upon. */
export function canvasOf(
  height: number,
  width: number,
  colour: Colour = [255, 255, 255],
): Image & { channels: 3 } {
  const canvas = {
    width,
    height,
    channels: 3 as const,
    data: new Uint8Array(height * width * 3).fill(255),
  };
  if (colour.some((level) => level !== 255)) {
    fill(canvas, { x: 0, y: 0, width, height }, colour);
  }
  return canvas;
}

/** Fills a rectangle. */
export function fill(
  canvas: Canvas,
  rectangle: Rectangle,
  colour: Colour,
): void {
  const left = Math.max(0, rectangle.x);
  const right = Math.min(canvas.width, rectangle.x + rectangle.width);
  const top = Math.max(0, rectangle.y);
  const bottom = Math.min(canvas.height, rectangle.y + rectangle.height);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      canvas.data.set(colour, (y * canvas.width + x) * 3);
    }
  }
}

/** Draws the outline of a rectangle, inside it. */
export function outline(
  canvas: Canvas,
  rectangle: Rectangle,
  colour: Colour,
  thickness = 1,
): void {
  const { x, y, width, height } = rectangle;
  const across = Math.min(thickness, height);
  const down = Math.min(thickness, width);
  fill(canvas, { x, y, width, height: across }, colour);
  fill(canvas, { x, y: y + height - across, width, height: across }, colour);
  fill(canvas, { x, y, width: down, height }, colour);
  fill(canvas, { x: x + width - down, y, width: down, height }, colour);
}

/** Copies an image onto a canvas that holds all of it. */
export function paste(
  canvas: Canvas,
  image: Image,
  place: { x: number; y: number },
): void {
  const { data } = toRgb(image);
  const length = image.width * 3;
  for (let row = 0; row < image.height; row++) {
    canvas.data.set(
      data.subarray(row * length, (row + 1) * length),
      ((place.y + row) * canvas.width + place.x) * 3,
    );
  }
}
