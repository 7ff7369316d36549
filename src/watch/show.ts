import { printable } from "../_printable.ts";
import { camFigure, type CamFigureOptions } from "../cam/cam_figure.ts";
import { classLabel, percent } from "../cam/_wording.ts";
import { GapcamError } from "../error.ts";
import type { Explanation } from "../explain/explainer.ts";
import { grid, type GridOptions } from "../image/grid.ts";
import type { Image } from "../image/image.ts";
import type { Evaluation } from "../train/evaluation.ts";
import { formatEvaluation } from "../train/format_evaluation.ts";
import { confusionPicture } from "./confusion_picture.ts";
import { Shown } from "./shown.ts";

/** A row of a table: a value for each column. */
export type TableRow = Readonly<Record<string, unknown>>;

/** Options of {@linkcode show} for a map. */
export interface ShowCamOptions extends CamFigureOptions {
  /** The image that was explained. */
  image: Image;
}

/** Shows an image. */
export function show(image: Image): Shown;
/** Shows images on one sheet. */
export function show(images: readonly Image[], options?: GridOptions): Shown;
/** Shows what a network made of an image, and where it looked. */
export function show(explanation: Explanation, options: ShowCamOptions): Shown;
/** Shows how well a network tells classes apart. */
export function show(evaluation: Evaluation): Shown;
/** Shows a table, whose columns are the names that the rows have. */
export function show(rows: readonly TableRow[]): Shown;
/**
 * Makes an image, images, a class activation map, an evaluation or rows of a
 * table something to look at: a picture or a table in a notebook (`deno
 * jupyter`), and where it is printed with `console.log` a table of text, or a
 * picture of coloured blocks in a terminal. Its `png` are a file's bytes.
 *
 * @param subject What to show.
 * @param options For images as `grid` has them; for a map the image and what
 * `camFigure` takes.
 * @returns What a notebook shows where it is the last value of a cell, or given
 * to `Deno.jupyter.display`.
 * @throws {GapcamError} If there is nothing to show, or an option is out of range.
 *
 * @example
 * ```ts
 * import { show } from "@gapcam/gapcam";
 *
 * const image = { width: 1, height: 1, channels: 1, data: new Uint8Array(1) } as const;
 * if (show(image).png?.[1] !== "P".charCodeAt(0)) throw new Error();
 * const table = show([{ layer: "features.0", parameters: 1792 }]);
 * if (!table.text.includes("features.0        1792")) throw new Error(table.text);
 * ```
 */
export function show(
  subject:
    | Image
    | readonly Image[]
    | Explanation
    | Evaluation
    | readonly TableRow[],
  options: GridOptions | ShowCamOptions = {},
): Shown {
  if (Array.isArray(subject)) {
    const [first] = subject as readonly unknown[];
    if (first === undefined) {
      throw new GapcamError(
        "invalid-argument",
        "Cannot show a list: it is empty, expected images or rows",
      );
    }
    if (!isImage(first)) return showTable(subject as readonly TableRow[]);
    const images = subject as readonly Image[];
    return Shown.picture(
      grid(images, options as GridOptions),
      `${images.length} images`,
    );
  }
  if (isImage(subject)) return Shown.picture(subject, sizeText(subject));
  if ("confusion" in subject) return showEvaluation(subject);
  const explanation = subject as Explanation;
  if (!("image" in options)) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot show a map: found no image in the options, expected the one " +
        "that was explained",
    );
  }
  const { image, ...figure } = options;
  return Shown.picture(
    camFigure(image, explanation, figure),
    camText(explanation, figure.classes),
  );
}

function isImage(value: unknown): value is Image {
  return typeof value === "object" && value !== null && "width" in value &&
    "channels" in value && "data" in value;
}

function sizeText({ width, height }: Image): string {
  return `image of ${width} x ${height} pixels`;
}

function camText(
  { classIndex, probability, proof }: Explanation,
  classes: readonly string[],
): string {
  return `${classLabel(classes, classIndex)}, ${percent(probability)}; map ` +
    `proved to ${proof.residual.toExponential(1)}`;
}

function showEvaluation(evaluation: Evaluation): Shown {
  const rows = evaluation.classes.map((one) => ({
    class: printable(one.name, 60),
    images: one.images,
    correct: one.correct,
    accuracy: percent(one.accuracy),
    precision: percent(one.precision),
    F1: percent(one.f1),
  }));
  const { html } = showTable([...rows, {
    class: "all",
    images: evaluation.images,
    correct: evaluation.correct,
    accuracy: percent(evaluation.accuracy),
    precision: "",
    F1: "",
  }]);
  return new Shown({
    text: formatEvaluation(evaluation),
    html: html! +
      (evaluation.confusion.length > 0
        ? pictureHtml(confusionPicture(evaluation))
        : ""),
  });
}

function pictureHtml(image: Image): string {
  const { png } = Shown.picture(image, "");
  return `<img alt="confusion matrix" src="data:image/png;base64,${
    png!.toBase64()
  }">`;
}

function showTable(rows: readonly TableRow[]): Shown {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const isNumber = (name: string) =>
    rows.every((row) => /^[\d.,e+-]*( %)?$/.test(cell(row[name])));
  const numbers = new Set(names.filter(isNumber));
  const table = [names, ...rows.map((row) => names.map((n) => cell(row[n])))];
  const widths = names.map((_, i) =>
    Math.max(...table.map((row) => row[i]!.length))
  );
  const text = table.map((row) =>
    row.map((value, i) =>
      numbers.has(names[i]!)
        ? value.padStart(widths[i]!)
        : value.padEnd(widths[i]!)
    ).join("  ").trimEnd()
  ).join("\n");
  const html = table.map((row, line) => {
    const tag = line === 0 ? "th" : "td";
    const cells = row.map((value, i) =>
      `<${tag} style="text-align: ${
        numbers.has(names[i]!) ? "right" : "left"
      }">${escaped(value)}</${tag}>`
    );
    return `<tr>${cells.join("")}</tr>`;
  });
  return new Shown({ text, html: `<table>${html.join("")}</table>` });
}

function cell(value: unknown): string {
  return value === undefined || value === null ? "" : printable(
    Array.isArray(value) ? value.join(" x ") : String(value),
    200,
  );
}

function escaped(text: string): string {
  return text.replace(
    /[&<>"]/g,
    (sign) => `&#${sign.charCodeAt(0)};`,
  );
}
