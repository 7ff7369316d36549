import { canvasOf, outline, paste } from "../image/_canvas.ts";
import { fitWithin } from "../image/_fit_within.ts";
import {
  type Colour,
  drawText,
  fontSizeFor,
  isDrawable,
  lineHeight,
  shorten,
  wrap,
} from "../image/_text.ts";
import type { Region } from "../image/fit_image.ts";
import type { FloatMap } from "../image/float_map.ts";
import { checkImage, type Image } from "../image/image.ts";
import {
  drawColourBar,
  INK,
  ticksWidth,
  verdictColour,
} from "./_figure_parts.ts";
import { scaleRegion } from "./_over_region.ts";
import { classLabel, percent, short, verdictOf } from "./_wording.ts";
import type { CamFigureOptions } from "./cam_figure.ts";
import { evidenceColours, evidenceOverlay } from "./evidence_overlay.ts";
import { evidenceScale } from "./evidence_scale.ts";

/** What {@linkcode topFigure} shows: an `Explanation` that has `likeliest`. */
export interface TopFigureSubject {
  /** The maps, the likeliest class first, and their boxes if any. */
  readonly likeliest: readonly {
    readonly map: FloatMap;
    readonly classIndex: number;
  }[];
  /** The logits of all classes. */
  readonly logits: ArrayLike<number>;
  /** The class with the greatest logit. */
  readonly predicted: number;
  /** The probabilities of all classes. */
  readonly probabilities: ArrayLike<number>;
}

/** Pictures side by side, the image among them. */
const MOST_COLUMNS = 4;
const NARROWEST = 160;

/**
 * Draws the maps of the likeliest classes in one picture: the image, and beside
 * it the evidence for each of them, all on one scale, so that a class for which
 * little speaks looks so.
 *
 * @param image The image, of any size.
 * @param subject The maps and the answer.
 * @param options Names, label, size and colours, as of `camFigure`; `boxes`: one
 * for each map in pixels of the image, or undefined.
 * @returns An RGB image.
 * @throws {GapcamError} If a value is not finite, or an option is out of range.
 *
 * @example Two classes
 * ```ts
 * import { probabilitiesOf, topFigure } from "@gapcam/gapcam/cam";
 *
 * const image = { width: 2, height: 2, channels: 1, data: new Uint8Array(4) } as const;
 * const logits = [3, 1];
 * const maps = [Float32Array.of(0, 1, 2, 9), Float32Array.of(1, 1, 1, 1)];
 * const figure = topFigure(image, {
 *   likeliest: maps.map((data, classIndex) => ({
 *     classIndex, map: { width: 2, height: 2, data },
 *   })),
 *   predicted: 0,
 *   logits,
 *   probabilities: probabilitiesOf(logits),
 * }, { classes: ["ship", "frog"] });
 * if (figure.width < 3 * 224) throw new Error();
 * ```
 */
export function topFigure(
  image: Image,
  subject: TopFigureSubject,
  options:
    & Omit<CamFigureOptions, "box">
    & { boxes?: readonly (Region | undefined)[] },
): Image {
  checkImage(image, "draw figure");
  const { likeliest, logits, probabilities } = subject;
  const { classes, label, name, note, region, boxes = [], size = 224 } =
    options;
  const { signed = false } = options;
  const side = Math.max(size, NARROWEST);
  const shown = fitWithin(image, side);
  const font = fontSizeFor(side);
  const line = lineHeight(font);
  const gap = font;
  const peak = likeliest.reduce(
    (most, { map }) =>
      map.data.reduce((a, b) => Math.max(a, Math.abs(b)), most),
    0,
  );
  const scales = likeliest.map(({ map }) =>
    evidenceScale(map, { signed, peak })
  );
  const [scale] = scales;
  if (!scale) return shown;
  const columns = Math.min(MOST_COLUMNS, likeliest.length + 1);
  const rows = Math.ceil((likeliest.length + 1) / columns);
  const column = Math.max(shown.width, NARROWEST);
  const step = line + 4 + shown.height + gap;
  const bar = gap + columns * (column + gap);
  const ticks = ticksWidth(scale.first, scale.last, font);
  const width = bar + font + ticks + gap;
  const notes = [
    ...likeliest.map(({ classIndex }, i) => {
      const { minimum, maximum, flat } = scales[i]!;
      return `${classLabel(classes, classIndex)}: logit ${
        short(logits[classIndex]!)
      }; its map runs from ${short(minimum)} to ${short(maximum)}` +
        (flat ? ": about the same everywhere, so nothing is coloured" : "");
    }),
    signed ? "red speaks for a class, blue against it" : "",
    note ?? "",
  ].filter((text) => text).flatMap((text) => wrap(text, width - 2 * gap, font));
  const top = gap + Math.round(1.25 * line);
  const below = top + rows * step;
  const canvas = canvasOf(below + notes.length * line + gap, width);
  const write = (
    text: string,
    place: { x: number; y: number; room: number; colour?: Colour },
  ) =>
    drawText(canvas, shorten(text, place.room, font), {
      colour: INK.faint,
      ...place,
      size: font,
    });
  const verdict = verdictOf(subject, {
    classes,
    ...(label === undefined ? {} : { label }),
  });
  write(verdict.text, {
    x: gap,
    y: gap,
    room: width - 2 * gap,
    colour: verdictColour(verdict),
  });
  const cells: { title: string; picture: Image }[] = [
    {
      title: name !== undefined && isDrawable(name) ? name : "image",
      picture: shown,
    },
    ...likeliest.map(({ map, classIndex }, i) => {
      const box = boxes[i];
      return {
        title: `${classLabel(classes, classIndex)} ${
          percent(probabilities[classIndex]!)
        }`,
        picture: evidenceOverlay(shown, map, {
          ...options,
          peak,
          ...(region ? { region: scaleRegion(region, image, shown) } : {}),
          ...(box ? { box: scaleRegion(box, image, shown) } : {}),
        }),
      };
    }),
  ];
  cells.forEach(({ title, picture }, i) => {
    const x = gap + (i % columns) * (column + gap);
    const y = top + Math.floor(i / columns) * step;
    write(title, { x, y, room: column });
    const inset = x + Math.floor((column - shown.width) / 2);
    const at = { x: inset, y: y + line + 4 };
    paste(canvas, picture, at);
    outline(canvas, {
      x: at.x - 1,
      y: at.y - 1,
      width: shown.width + 2,
      height: shown.height + 2,
    }, INK.track);
  });
  const colours = { ...scale, ...evidenceColours(options), size: font };
  write("logit", { x: bar, y: top, room: width - bar });
  drawColourBar(canvas, {
    x: bar,
    y: top + line + 4,
    width: font,
    height: shown.height,
  }, colours);
  notes.forEach((text, i) =>
    write(text, { x: gap, y: below + i * line, room: width - 2 * gap })
  );
  return canvas;
}
