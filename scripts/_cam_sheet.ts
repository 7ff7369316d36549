/**
 * Contact sheets: many explained images on few pictures.
 *
 * @module
 */

import { fitWithin } from "../src/image/_fit_within.ts";
import {
  barColour,
  drawLegend,
  INK,
  type Legend,
  verdictColour,
} from "../src/cam/_figure_parts.ts";
import { classLabel, percent, short, verdictOf } from "../src/cam/_wording.ts";
import { evidenceColours } from "../src/cam/evidence_overlay.ts";
import { evidenceScale } from "../src/cam/evidence_scale.ts";
import { canvasOf, fill, paste } from "../src/image/_canvas.ts";
import {
  type Colour,
  drawText,
  fontSizeFor,
  isDrawable,
  lineHeight,
  shorten,
  wrap,
} from "../src/image/_text.ts";
import { encodePng } from "../src/image/encode_png.ts";
import type { Image } from "../src/image/image.ts";
import { type Look, overlayOf } from "./_cam_pictures.ts";
import type { Subject } from "./_explain.ts";
import { writeFile } from "./_pictures.ts";

/** Most images of a sheet, and most pixels of their pictures. */
const MOST = 100;
const MOST_PIXELS = 40e6;
const LARGEST_TILE = 512;
const CELL: Colour = [236, 236, 236];

interface Line {
  text: string;
  colour: Colour;
}

interface Pair {
  plain: Image;
  cam: Image;
  lines: Line[];
}

/**
 * Collects pairs of an image and its evidence and writes a sheet whenever one is
 * full, so that memory does not grow with the number of images.
 */
export class ContactSheets {
  readonly #path: string;
  readonly #look: Look;
  readonly #tile: number;
  readonly #text: Record<string, string>;
  readonly #explained: string | undefined;
  readonly #against: string | undefined;
  #pairs: Pair[] = [];
  /** The sheets that were written. */
  readonly files: string[] = [];

  /**
   * @param path The first sheet; others get `-2`, `-3` before the ending.
   * @param options How overlays look, the longer side of a tile, texts to keep
   * in the files, and the class that is explained, if not each image's own.
   */
  constructor(
    path: string,
    options: {
      look: Look;
      tile: number;
      text: Record<string, string>;
      classIndex: number | undefined;
      against?: number | undefined;
    },
  ) {
    this.#path = path;
    this.#look = options.look;
    this.#tile = Math.min(options.tile, LARGEST_TILE);
    this.#text = options.text;
    const nameOf = (index: number | undefined) =>
      index === undefined ? undefined : classLabel(this.#look.classes, index);
    this.#explained = nameOf(options.classIndex);
    this.#against = nameOf(options.against);
  }

  /** Adds an image; the sheet that it fills is written. */
  async add(subject: Subject): Promise<void> {
    const plain = fitWithin(subject.plain, this.#tile);
    const cam = overlayOf(subject, plain, this.#look);
    const lines = captionOf(subject, this.#look);
    this.#pairs.push({ plain, cam, lines });
    const room = Math.floor(MOST_PIXELS / (2 * this.#tile ** 2));
    if (this.#pairs.length >= Math.min(MOST, room)) await this.finish();
  }

  /** Writes the last sheet, if it holds anything. */
  async finish(): Promise<void> {
    if (this.#pairs.length === 0) return;
    const number = this.files.length + 1;
    const path = number === 1
      ? this.#path
      : this.#path.replace(/\.png$/, `-${number}.png`);
    const sheet = draw(
      this.#pairs,
      legendOf(this.#look, {
        explained: this.#explained,
        against: this.#against,
      }),
    );
    await writeFile(path, encodePng(sheet, { text: this.#text }));
    this.files.push(path);
    this.#pairs = [];
  }
}

/** What stands below a pair. */
function captionOf(subject: Subject, look: Look): Line[] {
  const { explanation, label, title } = subject;
  const { classes } = look;
  const verdict = verdictOf(explanation, {
    classes,
    ...(label === undefined ? {} : { label }),
  });
  const { classIndex, predicted, probability, map, peak } = explanation;
  const name = isDrawable(title) ? title : undefined;
  const unit = explanation.title === undefined ? 1 : 0;
  const scale = evidenceScale(map, { peak, unit });
  const range = scale.flat
    ? "same everywhere"
    : `${short(scale.minimum)} to ${short(scale.maximum)}`;
  const { against } = explanation;
  const explained = against !== undefined
    ? `${classLabel(classes, classIndex)} against ${
      classLabel(classes, against)
    }: ${range}`
    : classIndex === predicted
    ? range
    : `${classLabel(classes, classIndex)} ${percent(probability)}: ${range}`;
  return [
    {
      text: verdict.text,
      colour: verdictColour(verdict),
    },
    {
      text: [name, explained].filter((part) => part).join(", "),
      colour: INK.faint,
    },
  ];
}

/** What the colours of a sheet mean. */
interface SheetLegend extends Legend {
  text: string;
}

function legendOf(
  look: Look,
  { explained, against }: {
    explained: string | undefined;
    against: string | undefined;
  },
): SheetLegend {
  const { notebook, colours } = look;
  if (notebook) {
    const colormap = colours.colormap ?? "jet";
    return {
      text:
        "Left the image, right its map, stretched to its own range (numbers" +
        " are logits).",
      first: "least",
      last: "greatest",
      colour: (share) => barColour(share, { colormap, fade: false }),
    };
  }
  const options = evidenceColours(colours);
  return {
    text: against !== undefined
      ? `Left the image, right what speaks for ${
        explained ?? "the answer"
      } (red) rather than for ${against} (blue; numbers are logits).`
      : explained === undefined
      ? "Left the image, right the evidence for the answer (numbers are logits)."
      : `Left the image, right the evidence for ${explained}, on the scale of ` +
        "it or of the answer, whichever is stronger (numbers are logits).",
    first: colours.signed ? "against" : "0 and less",
    last: colours.signed ? "for" : "greatest",
    colour: (share) => barColour(share, options),
  };
}

/** Pairs in rows of even cells, and a legend below. */
function draw(pairs: readonly Pair[], legend: SheetLegend): Image {
  const cellWidth = Math.max(64, ...pairs.map(({ plain }) => plain.width));
  const cellHeight = Math.max(...pairs.map(({ plain }) => plain.height));
  const size = fontSizeFor(cellWidth);
  const line = lineHeight(size);
  const gap = Math.max(4, Math.round(cellWidth / 40));
  const pairWidth = 2 * cellWidth + 2;
  const columns = columnsOf(pairs.length, {
    width: pairWidth + gap,
    height: cellHeight + 2 * line + gap,
  });
  const rows = Math.ceil(pairs.length / columns);
  const stepX = pairWidth + 3 * gap;
  const stepY = cellHeight + 2 * line + 3 * gap;
  const width = columns * stepX + gap;
  const texts = wrap(legend.text, width - 4 * gap, size);
  const canvas = canvasOf(
    rows * stepY + 3 * gap + (texts.length + 1) * line,
    width,
  );
  pairs.forEach(({ plain, cam, lines }, i) => {
    const x = 2 * gap + (i % columns) * stepX;
    const y = 2 * gap + Math.floor(i / columns) * stepY;
    [plain, cam].forEach((image, side) => {
      const left = x + side * (cellWidth + 2);
      // A picture of other proportions lies in an even cell.
      fill(
        canvas,
        { x: left, y, width: cellWidth, height: cellHeight },
        CELL,
      );
      paste(canvas, image, {
        x: left + Math.floor((cellWidth - image.width) / 2),
        y: y + Math.floor((cellHeight - image.height) / 2),
      });
    });
    lines.forEach(({ text, colour }, n) => {
      drawText(canvas, shorten(text, pairWidth, size), {
        x,
        y: y + cellHeight + 2 + n * line,
        size,
        colour,
      });
    });
  });
  const below = gap + rows * stepY;
  texts.forEach((text, n) =>
    drawText(canvas, text, {
      x: 2 * gap,
      y: below + n * line,
      size,
      colour: INK.faint,
    })
  );
  drawLegend(canvas, legend, {
    x: 2 * gap,
    y: below + texts.length * line + 2,
    size,
  });
  return canvas;
}

/** As many columns as make the sheet wider than high, with few cells empty. */
function columnsOf(
  count: number,
  cell: { width: number; height: number },
): number {
  const wanted = Math.sqrt(2.2 * count * cell.height / cell.width);
  let best = 1;
  let least = Infinity;
  for (let columns = 1; columns <= count; columns++) {
    const empty = columns * Math.ceil(count / columns) - count;
    const cost = Math.abs(Math.log(columns / wanted)) + 2 * empty / count;
    if (cost < least) [best, least] = [columns, cost];
  }
  return best;
}
