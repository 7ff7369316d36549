/**
 * The sheet of a network's worst answers.
 *
 * @module
 */

import { INK } from "../src/cam/_figure_parts.ts";
import { classLabel, percent, short } from "../src/cam/_wording.ts";
import { evidenceOverlay } from "../src/cam/evidence_overlay.ts";
import { canvasOf, paste } from "../src/image/_canvas.ts";
import { fitWithin } from "../src/image/_fit_within.ts";
import {
  type Colour,
  drawText,
  lineHeight,
  shorten,
  wrap,
} from "../src/image/_text.ts";
import type { Image } from "../src/image/image.ts";
import type { WorstSubject } from "./_worst.ts";

/** Longer side of a picture. */
const TILE = 112;
const GAP = 18;
const FONT = 12;
const TITLE = 16;

/** Images in a row, each with two maps. */
const COLUMNS = 3;

/** Images under a title. */
export interface SheetPart {
  title: string;
  subjects: readonly WorstSubject[];
}

/**
 * Draws images in parts: each image, beside it the evidence for what was answered
 * and for what was right, on one scale.
 *
 * @param notes What stands below all.
 */
export function worstSheet(
  parts: readonly SheetPart[],
  { classes, notes }: {
    classes: readonly string[];
    notes: readonly string[];
  },
): Image {
  const line = lineHeight(FONT);
  const heading = lineHeight(TITLE);
  const cellWidth = 3 * TILE + 4;
  const cellHeight = TILE + 2 * line + GAP;
  const columns = Math.min(
    COLUMNS,
    Math.max(1, ...parts.map(({ subjects }) => subjects.length)),
  );
  const width = columns * (cellWidth + GAP) + GAP;
  const rowsOf = ({ subjects }: SheetPart) =>
    Math.ceil(subjects.length / columns);
  const lines = notes.flatMap((note) => wrap(note, width - 2 * GAP, FONT));
  const height = GAP + parts.reduce(
    (sum, part) => sum + heading + 8 + rowsOf(part) * cellHeight,
    0,
  ) + lines.length * line + GAP;
  const canvas = canvasOf(height, width);
  const write = (
    text: string,
    { x, y, room, size = FONT, colour }: {
      x: number;
      y: number;
      room: number;
      size?: number;
      colour: Colour;
    },
  ) => drawText(canvas, shorten(text, room, size), { x, y, size, colour });
  let top = GAP;
  for (const part of parts) {
    write(part.title, {
      x: GAP,
      y: top,
      room: width - 2 * GAP,
      size: TITLE,
      colour: INK.text,
    });
    top += heading + 8;
    part.subjects.forEach((subject, i) => {
      const x = GAP + (i % columns) * (cellWidth + GAP);
      const y = top + Math.floor(i / columns) * cellHeight;
      const plain = fitWithin(subject.image, TILE);
      [
        plain,
        ...subject.maps.map((map) =>
          evidenceOverlay(plain, map, { alpha: 0.65 })
        ),
      ].forEach((picture, n) =>
        paste(canvas, picture, {
          x: x + n * (TILE + 2) + Math.floor((TILE - picture.width) / 2),
          y: y + Math.floor((TILE - picture.height) / 2),
        })
      );
      const { answer, other } = subject;
      const isWrong = answer.predicted !== answer.label;
      const captions = [
        {
          text: `image ${answer.index}`,
          colour: INK.faint,
          second: `loss ${short(answer.loss)}`,
        },
        {
          text: classLabel(classes, answer.predicted),
          colour: isWrong ? INK.wrong : INK.right,
          second: `answer, ${percent(answer.probability)}`,
        },
        {
          text: classLabel(classes, other),
          colour: isWrong ? INK.right : INK.faint,
          second: isWrong ? "right" : "next best",
        },
      ];
      captions.forEach(({ text, second, colour }, n) => {
        const left = x + n * (TILE + 2);
        const place = { x: left, room: TILE - 4 };
        write(text, { ...place, y: y + TILE + 2, colour });
        write(second, {
          ...place,
          y: y + TILE + 2 + line,
          colour: INK.faint,
        });
      });
    });
    top += rowsOf(part) * cellHeight;
  }
  lines.forEach((text, i) =>
    write(text, {
      x: GAP,
      y: top + i * line,
      room: width,
      colour: INK.faint,
    })
  );
  return canvas;
}
