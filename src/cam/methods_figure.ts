import { canvasOf, fill, outline, paste } from "../image/_canvas.ts";
import { fitWithin } from "../image/_fit_within.ts";
import {
  type Canvas,
  type Colour,
  drawText,
  fontSizeFor,
  isDrawable,
  lineHeight,
  shorten,
  textWidth,
  wrap,
} from "../image/_text.ts";
import type { FloatMap } from "../image/float_map.ts";
import { checkImage, type Image } from "../image/image.ts";
import { barColour, drawLegend, INK, verdictColour } from "./_figure_parts.ts";
import { scaleRegion } from "./_over_region.ts";
import { classLabel, percent, short, verdictOf } from "./_wording.ts";
import {
  evidenceColours,
  type EvidenceOptions,
  evidenceOverlay,
} from "./evidence_overlay.ts";
import { normaliseMap } from "./normalise_map.ts";

/** One method's map, or why there is none. */
export interface MethodTile {
  /** The method as its paper writes it. */
  readonly title: string;
  /** What stands behind it: `proved`, `checked` or `heuristic`; undefined without a map. */
  readonly standing?: "proved" | "checked" | "heuristic";
  /** How far what must hold is from holding. */
  readonly residual?: number;
  /** The map; undefined where the method cannot explain the network. */
  readonly map?: FloatMap;
  /** What is painted in its place. */
  readonly painted?: FloatMap;
  /** Why there is no map, or nothing of it is painted. */
  readonly reason?: string;
}

/** What {@linkcode methodsFigure} shows. */
export interface MethodsFigureSubject {
  /** The methods, in the order in which they are drawn. */
  readonly tiles: readonly MethodTile[];
  /** The class that is explained. */
  readonly classIndex: number;
  /** A class that is subtracted, if one is. */
  readonly against?: number;
  /** The class with the greatest logit. */
  readonly predicted: number;
  /** The probabilities of all classes. */
  readonly probabilities: ArrayLike<number>;
}

/** How {@linkcode methodsFigure} draws. */
export interface MethodsFigureOptions
  extends Omit<EvidenceOptions, "peak" | "unit" | "box"> {
  /** The names of the classes. */
  classes: readonly string[];
  /** The class that the image's label says; no verdict if left out. */
  label?: number;
  /** What the image is called. */
  name?: string;
  /** What else a person should know, written below. */
  note?: string;
  /** The longer side of each picture in pixels; 224 if left out. */
  size?: number;
}

const NARROWEST = 160;
const COLUMNS = 5;

const INKS: Readonly<Record<string, Colour>> = {
  proved: INK.right,
  checked: [30, 80, 160],
  heuristic: INK.faint,
};

const LEGEND = "proved: the map's total is the number that it explains. " +
  "checked: an identity that must hold, holds. heuristic: nothing but an exam " +
  "says how good it is.";

/**
 * Draws many methods' maps of one image in one picture, each with what stands
 * behind it. Their units differ, so each is painted from 0 to its own greatest
 * value, which stands below it; a map of which no value is above 0 is not
 * painted, and says so.
 *
 * @param image The image, of any size.
 * @param subject The maps and the answer.
 * @param options Names, label, size and colours.
 * @returns An RGB image.
 * @throws {GapcamError} If a value is not finite, or an option is out of range.
 *
 * @example A map that is proved, and a method that cannot explain the network
 * ```ts
 * import { methodsFigure } from "@gapcam/gapcam/cam";
 *
 * const image = { width: 2, height: 2, channels: 1, data: new Uint8Array(4) } as const;
 * const map = { width: 2, height: 2, data: Float32Array.of(0, 1, 2, 9) };
 * const figure = methodsFigure(image, {
 *   tiles: [
 *     { title: "Grad-CAM", standing: "checked", residual: 1e-7, map },
 *     { title: "CAM", reason: "the network has three linear layers" },
 *   ],
 *   classIndex: 0,
 *   predicted: 0,
 *   probabilities: [0.9, 0.1],
 * }, { classes: ["ship", "frog"] });
 * if (figure.width < 3 * 224) throw new Error();
 * ```
 */
export function methodsFigure(
  image: Image,
  subject: MethodsFigureSubject,
  options: MethodsFigureOptions,
): Image {
  checkImage(image, "draw figure");
  const { tiles } = subject;
  const { classes, name, region, note, size = 224 } = options;
  const side = Math.max(size, NARROWEST);
  const shown = fitWithin(image, side);
  const font = fontSizeFor(side);
  const small = Math.max(12, font - 4);
  const line = lineHeight(font);
  const lineBelow = lineHeight(small);
  const gap = font;
  const column = Math.max(shown.width, NARROWEST);
  const columns = Math.min(COLUMNS, tiles.length + 1);
  const rows = Math.ceil((tiles.length + 1) / columns);
  const step = line + 4 + shown.height + 3 + 2 * lineBelow + gap;
  const width = gap + columns * (column + gap);
  const notes = [LEGEND, note ?? ""].filter((text) => text)
    .flatMap((text) => wrap(text, width - 2 * gap, small));
  const top = gap + Math.round(1.4 * line);
  const below = top + rows * step;
  const canvas = canvasOf(
    below + (notes.length + 1) * lineBelow + gap,
    width,
  );
  const verdict = verdictOf(subject, {
    classes,
    ...(options.label === undefined ? {} : { label: options.label }),
  });
  const explained = classLabel(classes, subject.classIndex);
  const target = subject.against === undefined
    ? subject.classIndex === subject.predicted
      ? ""
      : `; explained: ${explained} ${
        percent(subject.probabilities[subject.classIndex]!)
      }`
    : `; explained: ${explained} against ${
      classLabel(classes, subject.against)
    }`;
  drawText(canvas, shorten(verdict.text + target, width - 2 * gap, font), {
    x: gap,
    y: gap,
    size: font,
    colour: verdictColour(verdict),
  });
  const place = (i: number) => ({
    x: gap + (i % columns) * (column + gap),
    y: top + Math.floor(i / columns) * step,
  });
  const frame = (picture: Image, i: number) => {
    const { x, y } = place(i);
    const at = {
      x: x + Math.floor((column - shown.width) / 2),
      y: y + line + 4,
    };
    paste(canvas, picture, at);
    outline(canvas, {
      x: at.x - 1,
      y: at.y - 1,
      width: shown.width + 2,
      height: shown.height + 2,
    }, INK.track);
  };
  const write = (
    text: string,
    at: { x: number; y: number; size: number; colour: Colour },
  ) => drawText(canvas, shorten(text, column, at.size), at);
  write(name !== undefined && isDrawable(name) ? name : "image", {
    ...place(0),
    size: font,
    colour: INK.faint,
  });
  frame(shown, 0);
  tiles.forEach((tile, i) => {
    const { x, y } = place(i + 1);
    write(tile.title, { x, y, size: font, colour: INK.text });
    const painted = tile.painted ?? tile.map;
    const empty = tile.reason !== undefined || painted === undefined;
    frame(
      evidenceOverlay(
        shown,
        empty ? { width: 1, height: 1, data: Float32Array.of(0) } : painted,
        {
          ...options,
          unit: 0,
          ...(region ? { region: scaleRegion(region, image, shown) } : {}),
        },
      ),
      i + 1,
    );
    if (tile.reason !== undefined) {
      drawReason(canvas, tile.reason, {
        ...{ x, width: column, size: small },
        y: y + line + 4,
        height: shown.height,
      });
    }
    captionOf(tile, { room: column, size: small }).forEach((
      { text, colour },
      n,
    ) =>
      write(text, {
        x,
        y: y + line + 4 + shown.height + 3 + n * lineBelow,
        size: small,
        colour,
      })
    );
  });
  const colours = evidenceColours(options);
  drawLegend(canvas, {
    ...(options.signed
      ? { first: "against", last: "for, up to each map's greatest value" }
      : { first: "0 and less", last: "each map's own greatest value" }),
    colour: (share) => barColour(share, colours),
  }, { x: gap, y: below, size: small });
  notes.forEach((text, i) =>
    drawText(canvas, text, {
      x: gap,
      y: below + (i + 1) * lineBelow,
      size: small,
      colour: INK.faint,
    })
  );
  return canvas;
}

/** What stands below a map: its standing, and its range. */
function captionOf(
  { standing, residual, map }: MethodTile,
  { room, size }: { room: number; size: number },
): { text: string; colour: Colour }[] {
  if (!standing || !map) return [];
  const { minimum, maximum } = normaliseMap(map);
  const range = `${short(minimum)} to ${short(maximum)}`;
  const sized = `${range}, ${map.height} x ${map.width}`;
  return [
    {
      text: standing +
        (residual === undefined
          ? ""
          : `, residual ${residual === 0 ? "0" : residual.toExponential(0)}`),
      colour: INKS[standing]!,
    },
    {
      text: textWidth(sized, size) > room ? range : sized,
      colour: INK.faint,
    },
  ];
}

/** Writes why there is nothing to see over a picture, in the middle. */
function drawReason(
  canvas: Canvas,
  reason: string,
  { x, y, width, height, size }: {
    x: number;
    y: number;
    width: number;
    height: number;
    size: number;
  },
): void {
  const line = lineHeight(size);
  const lines = wrap(reason, width - 2 * size, size)
    .slice(0, Math.max(1, Math.floor(height / line)));
  const start = y + Math.floor((height - lines.length * line) / 2);
  const box = { x, y: start - 4, width, height: lines.length * line + 8 };
  fill(canvas, box, [255, 255, 255]);
  lines.forEach((text, i) =>
    drawText(canvas, text, {
      x: x + Math.floor((width - textWidth(text, size)) / 2),
      y: start + i * line,
      size,
      colour: INK.text,
    })
  );
}
