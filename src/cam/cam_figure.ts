import { fitWithin } from "../image/_fit_within.ts";
import { canvasOf, outline, paste } from "../image/_canvas.ts";
import {
  type Colour,
  drawText,
  fontSizeFor,
  isDrawable,
  lineHeight,
  shorten,
  wrap,
} from "../image/_text.ts";
import type { FloatMap } from "../image/float_map.ts";
import { checkImage, type Image } from "../image/image.ts";
import {
  drawColourBar,
  drawTopClasses,
  INK,
  ticksWidth,
  topClassesHeight,
  topClassesWidth,
  verdictColour,
} from "./_figure_parts.ts";
import { scaleRegion } from "./_over_region.ts";
import { classLabel, percent, short, verdictOf } from "./_wording.ts";
import {
  evidenceColours,
  type EvidenceOptions,
  evidenceOverlay,
} from "./evidence_overlay.ts";
import { type EvidenceScale, evidenceScale } from "./evidence_scale.ts";

/** What {@linkcode camFigure} shows: an `Explanation`, or the like. */
export interface CamFigureSubject {
  /** The raw map, in units of the logit. */
  readonly map: FloatMap;
  /** The class that the map explains. */
  readonly classIndex: number;
  /** The class whose map was subtracted from its, if one was. */
  readonly against?: number;
  /** The logits of all classes. */
  readonly logits: ArrayLike<number>;
  /** The class with the greatest logit. */
  readonly predicted: number;
  /** The probabilities of all classes. */
  readonly probabilities: ArrayLike<number>;
  /** The greatest absolute value of the predicted class's map. */
  readonly peak?: number;
  /** What made the map, such as `Grad-CAM`, where it is not in units of the logit. */
  readonly title?: string;
  /** What is painted in its place, such as the same without its greatest values. */
  readonly painted?: FloatMap;
}

/** How {@linkcode camFigure} draws. */
export interface CamFigureOptions
  extends Omit<EvidenceOptions, "peak" | "unit"> {
  /** The names of the classes; one that the font cannot draw shows its number. */
  classes: readonly string[];
  /** The class that the image's label says; no verdict if left out. */
  label?: number;
  /** What the image is called, such as `image 3`. */
  name?: string;
  /** What else a person should know, written below. */
  note?: string;
  /** The longer side of each picture in pixels; 224 if left out. */
  size?: number;
}

const NARROWEST = 160;

/**
 * Draws what a network made of an image as a picture for a person: the image on
 * the left, the evidence for a class over it on the right, a colour bar in units
 * of the logit, the likeliest classes, and in words what the network says,
 * whether it is wrong, and what the colours mean.
 *
 * @param image The image, of any size.
 * @param subject The map, the class and the answer: an `Explanation`.
 * @param given Names, label, size, scale and colours.
 * @returns An RGB image.
 * @throws {GapcamError} If a value is not finite, or an option is out of range.
 *
 * @example A wrong answer is called wrong
 * ```ts
 * import { camFigure, probabilitiesOf } from "@gapcam/gapcam";
 *
 * const image = { width: 2, height: 2, channels: 1, data: new Uint8Array(4) } as const;
 * const logits = [3, 1];
 * const figure = camFigure(image, {
 *   map: { width: 2, height: 2, data: Float32Array.of(0, 1, 2, 9) },
 *   classIndex: 0,
 *   predicted: 0,
 *   logits,
 *   probabilities: probabilitiesOf(logits),
 * }, { classes: ["ship", "frog"], label: 1 });
 * if (figure.width < 2 * 224) throw new Error();
 * ```
 */
export function camFigure(
  image: Image,
  subject: CamFigureSubject,
  given: CamFigureOptions,
): Image {
  checkImage(image, "draw figure");
  const { against } = subject;
  // What speaks for another class is not nothing.
  const options = {
    ...given,
    signed: given.signed ?? against !== undefined,
  };
  const { classes, name, region, box, size = 224 } = options;
  const side = Math.max(size, NARROWEST);
  const shown = fitWithin(image, side);
  const font = fontSizeFor(side);
  const line = lineHeight(font);
  const gap = font;
  const column = Math.max(shown.width, NARROWEST);
  const height = Math.max(shown.height, topClassesHeight(font));
  const peak = subject.peak ?? 0;
  const unit = subject.title === undefined ? 1 : 0;
  const painted = subject.painted ?? subject.map;
  const scale = evidenceScale(painted, { ...options, peak, unit });
  const barWidth = font;
  const ticks = ticksWidth(scale.first, scale.last, font);
  const { probabilities } = subject;
  // A name is cut where it would make the list wider than a picture.
  const list = Math.min(
    side,
    Math.max(
      Math.round(0.75 * side),
      topClassesWidth({ probabilities, classes, size: font }),
    ),
  );
  const width = 5 * gap + 2 * column + barWidth + ticks + gap + list;
  const notes = noteOf(subject, options, {
    ...scale,
    ...rangeOf(subject.map),
  })
    .flatMap((one) => wrap(one, width - 2 * gap, font));
  const top = gap + Math.round(1.25 * line) + line + 4;
  const bottom = top + height + 4 + line;
  const canvas = canvasOf(
    bottom + Math.round(line / 2) + notes.length * line + gap,
    width,
  );
  function write(
    text: string,
    place: { x: number; y: number; room: number; colour?: Colour },
  ): void {
    drawText(canvas, shorten(text, place.room, font), {
      colour: INK.text,
      ...place,
      size: font,
    });
  }

  const verdict = verdictOf(subject, options);
  write(verdict.text, {
    x: gap,
    y: gap,
    room: width - 2 * gap,
    colour: verdictColour(verdict),
  });
  const evidence = gap + column + gap;
  const bar = evidence + column + gap;
  const listed = bar + barWidth + ticks + 2 * gap;
  const head = top - line - 4;
  const called = name !== undefined && isDrawable(name) ? name : "image";
  const labelled = options.label === undefined
    ? ""
    : `, labelled ${classLabel(classes, options.label)}`;
  write(called + labelled, {
    x: gap,
    y: head,
    room: column,
    colour: INK.faint,
  });
  const explained = classLabel(classes, subject.classIndex);
  const title = against === undefined
    ? `${subject.title ?? "evidence"} for ${explained}`
    : `${explained} against ${classLabel(classes, against)}`;
  write(title, {
    x: evidence,
    y: head,
    room: column + gap + barWidth,
    colour: INK.faint,
  });
  write("likeliest", { x: listed, y: head, room: list, colour: INK.faint });
  const inset = Math.floor((column - shown.width) / 2);
  const down = Math.floor((height - shown.height) / 2);
  paste(canvas, shown, { x: gap + inset, y: top + down });
  paste(
    canvas,
    evidenceOverlay(shown, painted, {
      ...options,
      peak,
      unit,
      ...(region ? { region: scaleRegion(region, image, shown) } : {}),
      ...(box ? { box: scaleRegion(box, image, shown) } : {}),
    }),
    { x: evidence + inset, y: top + down },
  );
  for (const x of [gap + inset, evidence + inset]) {
    const box = { x: x - 1, y: top + down - 1 };
    outline(canvas, {
      ...box,
      width: shown.width + 2,
      height: shown.height + 2,
    }, INK.track);
  }
  drawColourBar(canvas, { x: bar, y: top, width: barWidth, height }, {
    ...scale,
    ...evidenceColours(options),
    size: font,
  });
  write(subject.title === undefined ? "logit" : "", {
    x: bar,
    y: top + height + 4,
    room: width,
    colour: INK.faint,
  });
  drawTopClasses(canvas, { x: listed, y: top, width: list, height }, {
    probabilities: subject.probabilities,
    classes,
    label: options.label,
    size: font,
  });
  notes.forEach((text, i) =>
    write(text, {
      x: gap,
      y: bottom + Math.round(line / 2) + i * line,
      room: width - 2 * gap,
      colour: INK.faint,
    })
  );
  return canvas;
}

function rangeOf({ data }: FloatMap): { minimum: number; maximum: number } {
  const [minimum, maximum] = data.reduce(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [Infinity, -Infinity],
  );
  return { minimum, maximum };
}

/** What the colours mean, and what else is to be known. */
function noteOf(
  subject: CamFigureSubject,
  options: CamFigureOptions,
  scale: EvidenceScale,
): string[] {
  const { classes, note } = options;
  const { classIndex, logits, probabilities } = subject;
  const explained = classLabel(classes, classIndex);
  const { minimum, maximum } = scale;
  const range = `map runs from ${short(minimum)} to ${short(maximum)}`;
  const { against } = subject;
  if (against !== undefined) {
    const other = classLabel(classes, against);
    const [one, less] = [logits[classIndex]!, logits[against]!];
    const sides = scale.flat
      ? "about the same everywhere, so nothing is coloured"
      : `red speaks for ${explained}, blue for ${other}`;
    return [
      `${explained} against ${other}: logits ${short(one)} and ${
        short(less)
      }, ` +
      `difference ${short(one - less)}; the ${range}: ${sides}`,
      ...note ? [note] : [],
    ];
  }
  const meaning = scale.flat
    ? "about the same everywhere, so nothing is coloured"
    : scale.signed
    ? `red speaks for ${explained}, blue against`
    : maximum <= 0
    ? `no place speaks for ${explained}, nothing glows`
    : maximum < 0.1 * scale.last
    ? `hardly any place speaks for ${explained}`
    : minimum < 0
    ? "below 0 is drawn as 0"
    : "";
  return [
    `${explained}: logit ${short(logits[classIndex]!)} (${
      percent(probabilities[classIndex]!)
    }); its ${range}` +
    (meaning ? `: ${meaning}` : ""),
    ...note ? [note] : [],
  ];
}
