import { printable } from "../_printable.ts";
import { canvasOf, fill, outline } from "../image/_canvas.ts";
import { type Colour, drawText, shorten, textWidth } from "../image/_text.ts";
import type { Image } from "../image/image.ts";
import type { ClassResult } from "../train/evaluation.ts";

const SIZE = 12, GAP = 6;
const MOST_NAME = 140;
/** Cells this wide have room for a number. */
const ROOMY = 30;
/** Of a share of 1; no share is white. */
const FULL: Colour = [8, 64, 129];
const BLACK: Colour = [32, 32, 32];
const WHITE: Colour = [255, 255, 255];
const GREY: Colour = [190, 190, 190];

/**
 * Draws a confusion matrix: a row for each class, a column for each answer, the
 * darker the larger the share of the class's images that were given it. Up to 30
 * classes have names and numbers of images.
 *
 * @param evaluation What is drawn.
 * @returns An RGB image.
 *
 * @example
 * ```ts
 * import { evaluationOf } from "../train/evaluation.ts";
 * import { confusionPicture } from "./confusion_picture.ts";
 *
 * const image = confusionPicture(evaluationOf([[2, 0], [1, 1]], {
 *   classes: ["cat", "dog"], dataset: "pets", split: "test", loss: 0.4,
 * }));
 * if (image.channels !== 3) throw new Error("unexpected");
 * ```
 */
export function confusionPicture(
  evaluation: {
    classes: readonly Pick<ClassResult, "name" | "images">[];
    confusion: readonly (readonly number[])[];
  },
): Image {
  const { classes, confusion } = evaluation;
  const count = classes.length;
  const cell = Math.max(1, Math.min(44, Math.floor(900 / count)));
  const roomy = cell >= ROOMY;
  const names = classes.map(({ name }, i) =>
    shorten(`${printable(name, 60)}  ${i + 1}`, MOST_NAME, SIZE)
  );
  const left = roomy
    ? GAP + Math.max(...names.map((name) => textWidth(name, SIZE))) + GAP
    : GAP;
  const top = GAP + 18 + (roomy ? 18 : 0);
  const side = cell * count;
  const title = "rows: class; columns: answer; colour: share of the class";
  const width = Math.max(left + side, GAP + textWidth(title, SIZE)) + GAP;
  const canvas = canvasOf(top + side + GAP, width);
  const write = (text: string, x: number, y: number, colour: Colour) =>
    drawText(canvas, text, { x, y, size: SIZE, colour });
  write(title, GAP, GAP, BLACK);
  for (const [row, counts] of confusion.entries()) {
    const y = top + row * cell;
    const images = classes[row]!.images;
    const middle = y + Math.floor((cell - SIZE) / 2) - 1;
    if (roomy) {
      const name = names[row]!;
      write(name, left - GAP - textWidth(name, SIZE), middle, BLACK);
      const number = String(row + 1);
      const inset = Math.floor((cell - textWidth(number, SIZE)) / 2);
      write(number, left + row * cell + inset, top - 18, BLACK);
    }
    for (const [column, found] of counts.entries()) {
      const share = images === 0 ? 0 : found / images;
      const x = left + column * cell;
      fill(canvas, { x, y, width: cell, height: cell }, mix(share));
      if (!roomy || found === 0) continue;
      const text = shorten(String(found), cell - 4, SIZE);
      const inset = Math.floor((cell - textWidth(text, SIZE)) / 2);
      write(text, x + inset, middle, share > 0.5 ? WHITE : BLACK);
    }
  }
  outline(canvas, { x: left, y: top, width: side, height: side }, GREY);
  return canvas;
}

/** White for no share; a small one is seen, so the scale is that of its root. */
function mix(share: number): Colour {
  const part = Math.sqrt(Math.min(1, Math.max(0, share)));
  const level = (c: 0 | 1 | 2) => Math.round(255 + (FULL[c] - 255) * part);
  return [level(0), level(1), level(2)];
}
