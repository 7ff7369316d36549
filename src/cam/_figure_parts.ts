import { fill, outline, type Rectangle } from "../image/_canvas.ts";
import {
  type Canvas,
  type Colour,
  drawText,
  lineHeight,
  shorten,
  textWidth,
} from "../image/_text.ts";
import { colormap, type ColormapName } from "../image/colormap.ts";
import { classLabel, percent, topClasses } from "./_wording.ts";

/** Colours of what a figure says. */
export const INK = {
  text: [32, 32, 32],
  faint: [110, 110, 110],
  right: [0, 104, 55],
  wrong: [190, 20, 30],
  bar: [120, 150, 190],
  track: [232, 232, 232],
} as const satisfies Record<string, Colour>;

/** The colour of a verdict: of one that nothing is known against, of text. */
export function verdictColour(
  { right }: { right: boolean | undefined },
): Colour {
  return right === undefined ? INK.text : right ? INK.right : INK.wrong;
}

/** Values between two ends, 1, 2 or 5 times a power of ten apart. */
export function ticksOf(first: number, last: number, most: number): number[] {
  const least = (last - first) / most;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((factor) => factor * power)
    .find((one) => one >= least * (1 - 1e-9))!;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const ticks: number[] = [];
  for (let i = Math.ceil(first / step - 1e-9); i * step <= last; i++) {
    ticks.push(Number((i * step).toFixed(Math.min(digits, 100))));
  }
  return ticks;
}

/** How a share of a scale looks on white. */
export function barColour(
  share: number,
  options: { colormap: ColormapName; fade: boolean },
): Colour {
  const colours = colormap(options.colormap);
  const entry = Math.min(255, Math.floor(share * 256));
  const opacity = options.fade ? Math.abs(2 * share - 1) : 1;
  const level = (c: number) =>
    Math.round(255 * (1 - opacity + opacity * colours[3 * entry + c]!));
  return [level(0), level(1), level(2)];
}

/** Draws a colour bar, its last colour on top, with its numbers to the right. */
export function drawColourBar(
  canvas: Canvas,
  place: Rectangle,
  options: {
    first: number;
    last: number;
    colormap: ColormapName;
    fade: boolean;
    size: number;
  },
): void {
  const { first, last, size } = options;
  for (let row = 0; row < place.height; row++) {
    const colour = barColour(1 - (row + 0.5) / place.height, options);
    fill(canvas, { ...place, y: place.y + row, height: 1 }, colour);
  }
  outline(canvas, place, INK.faint);
  const line = lineHeight(size);
  const most = Math.max(1, Math.min(6, Math.floor(place.height / (2 * line))));
  for (const tick of ticksOf(first, last, most)) {
    const share = (tick - first) / (last - first);
    const y = place.y + Math.round((1 - share) * (place.height - 1));
    const x = place.x + place.width;
    fill(canvas, { x, y, width: 3, height: 1 }, INK.faint);
    drawText(canvas, tickText(tick), {
      x: x + 6,
      // Between the bar's ends, so that it stands beside the picture.
      y: Math.min(
        Math.max(y - Math.floor(line / 2), place.y - 2),
        place.y + place.height - line + 2,
      ),
      size,
      colour: INK.text,
    });
  }
}

/** How much room the numbers of a colour bar need, in pixels. */
export function ticksWidth(first: number, last: number, size: number): number {
  return 6 + Math.max(
    ...ticksOf(first, last, 6).map((tick) => textWidth(tickText(tick), size)),
  );
}

function tickText(tick: number): string {
  return String(tick).replace("-", "\u2212");
}

/** Rows of a class's name and bar, from one class to the next. */
function rowsOf(size: number): { line: number; bar: number; step: number } {
  const line = lineHeight(size);
  const bar = Math.max(4, Math.round(size / 3));
  return { line, bar, step: line + bar + Math.round(size / 2) };
}

/** How high a list of five classes is. */
export function topClassesHeight(size: number): number {
  return 5 * rowsOf(size).step;
}

/** How wide a list of five classes is that cuts none of their names. */
export function topClassesWidth(
  { probabilities, classes, size }: {
    probabilities: ArrayLike<number>;
    classes: readonly string[];
    size: number;
  },
): number {
  return Math.max(
    ...topClasses(probabilities).map(({ index, probability }) =>
      textWidth(classLabel(classes, index), size) + size +
      textWidth(percent(probability), size)
    ),
  );
}

/** Draws the likeliest classes, each with its probability and a bar. */
export function drawTopClasses(
  canvas: Canvas,
  place: Rectangle,
  options: {
    probabilities: ArrayLike<number>;
    classes: readonly string[];
    label: number | undefined;
    size: number;
  },
): void {
  const { size, classes, label } = options;
  const { line, bar: thickness, step } = rowsOf(size);
  topClasses(options.probabilities).forEach(({ index, probability }, i) => {
    const y = place.y + i * step;
    const number = percent(probability);
    const room = place.width - textWidth(number, size) - size;
    const colour = i > 0 || label === undefined
      ? INK.text
      : index === label
      ? INK.right
      : INK.wrong;
    const name = classLabel(classes, index);
    drawText(canvas, shorten(name, room, size), {
      x: place.x,
      y,
      size,
      colour,
    });
    drawText(canvas, number, {
      x: place.x + place.width - textWidth(number, size),
      y,
      size,
      colour,
    });
    const bar = {
      x: place.x,
      y: y + line,
      width: place.width,
      height: thickness,
    };
    fill(canvas, bar, INK.track);
    const width = Math.round(place.width * probability);
    fill(canvas, { ...bar, width }, i > 0 ? INK.bar : colourOf(colour));
  });
}

function colourOf(colour: Colour): Colour {
  return colour === INK.text ? INK.bar : colour;
}

/** What the colours between two ends mean. */
export interface Legend {
  first: string;
  last: string;
  /** The colour of a share of the scale. */
  colour: (share: number) => Colour;
}

/** A bar of the colours between what its ends mean. */
export function drawLegend(
  canvas: Canvas,
  { first, last, colour }: Legend,
  { x, y, size }: { x: number; y: number; size: number },
): void {
  const start = x + textWidth(first, size) + size;
  const length = 8 * size;
  drawText(canvas, first, { x, y, size, colour: INK.faint });
  for (let i = 0; i < length; i++) {
    const place = { x: start + i, y: y + 3, width: 1, height: size - 2 };
    fill(canvas, place, colour((i + 0.5) / length));
  }
  const bar = { x: start, y: y + 3, width: length, height: size - 2 };
  outline(canvas, bar, INK.faint);
  drawText(canvas, last, {
    x: start + length + size,
    y,
    size,
    colour: INK.faint,
  });
}
