/**
 * An exam as one page: a file that holds all it shows.
 *
 * @module
 */

import { printable } from "../src/_printable.ts";
import { writeAtomically } from "../src/_write_atomically.ts";
import { percent } from "../src/cam/_wording.ts";
import { evidenceOverlay } from "../src/cam/evidence_overlay.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { CONTROL_METHODS } from "../src/explain/exam/controls.ts";
import type { Exam, MethodResult } from "../src/explain/exam/exam.ts";
import type { ExaminedImage } from "../src/explain/exam/examine_options.ts";
import { encodePng } from "../src/image/encode_png.ts";
import type { FloatMap } from "../src/image/float_map.ts";
import type { Region } from "../src/image/fit_image.ts";
import { resizeBilinear } from "../src/image/resize_bilinear.ts";
import { resizeMap } from "../src/image/resize_map.ts";
import { toRgb } from "../src/image/to_rgb.ts";
import {
  agreementTable,
  curvesChart,
  randomisationChart,
} from "./_exam_charts.ts";
import { EXAM_STYLE } from "./_exam_page_style.ts";
import {
  type ExamColumn,
  examColumns,
  examTitle,
  isMarked,
} from "./_exam_table.ts";
import { imageOf } from "./_pictures.ts";

/** Images on the page; of mosaics, each with four maps a method, fewer. */
const SAMPLES = 6;
const MOSAIC_SAMPLES = 2;

/** Longer side of a picture. */
const SIDE = 160;

/** Collects the first images of an exam and writes the page. */
export class ExamPage {
  readonly #dataset: Dataset;
  readonly #most: number;
  readonly #samples: ExaminedImage[] = [];

  /** @param dataset The images that are examined. */
  constructor(dataset: Dataset, { mosaics }: { mosaics: boolean }) {
    this.#dataset = dataset;
    this.#most = mosaics ? MOSAIC_SAMPLES : SAMPLES;
  }

  /** Keeps an image, if it is among the first. */
  add(image: ExaminedImage): void {
    if (this.#samples.length < this.#most) this.#samples.push(image);
  }

  /** Writes the page; `lines` end it. */
  async write(
    path: string,
    exam: Exam,
    lines: readonly string[],
  ): Promise<void> {
    const names = exam.methods.map(({ method }) => method);
    const samples = this.#samples.map((sample) =>
      sampleOf(sample, { names, dataset: this.#dataset })
    );
    const text = [
      head(exam),
      scoresOf(exam),
      curvesOf(exam),
      randomisationOf(exam),
      agreementOf(exam),
      `<section><h2>The first images</h2><p>The evidence for a class, of each
method; brighter speaks more for it. The dot is its greatest value${
        this.#dataset.boxes ? ", the frame is where the class lies" : ""
      }.</p>`,
      ...samples,
      `</section></main>\n<footer>${
        lines.map((line) => `<p>${escaped(line)}</p>`).join("")
      }</footer>\n</body>\n</html>\n`,
    ];
    await writeAtomically(
      path,
      text.map((part) => new TextEncoder().encode(part)),
      { makeFolder: true },
    );
  }
}

function head(exam: Exam): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Which explanation to believe</title>
<style>${EXAM_STYLE}</style>
</head>
<body>
<header>
<h1>Which explanation to believe</h1>
<p class="faint">${escaped(examTitle(exam))}</p>
</header>
<main>
`;
}

function scoresOf(exam: Exam): string {
  const columns = examColumns(exam);
  const arrow = { high: " \u2191", low: " \u2193" };
  const rows = exam.methods.map((result) => {
    const cells = columns.map((column) => cellOf(column, result, exam));
    return `<tr${isControl(result.method) ? ` class="control"` : ""}>` +
      `<th scope="row">${escaped(result.method)}</th>${cells.join("")}</tr>`;
  });
  const refused = exam.refused.map(({ method, reason }) =>
    `<p class="faint"><b>${escaped(method)}</b> is left out: ${
      escaped(reason)
    }</p>`
  );
  return `<section><h2>Scores</h2>
<p>\u2191 more is better, \u2193 less is better; the best of a column is bold. The
methods in italics look at no network at all: one that does no better has shown
nothing.</p>
<div class="wide"><table class="scores"><thead><tr><th></th>${
    columns.map(({ title, good, meaning }) =>
      `<th scope="col" title="${escaped(meaning)}">${escaped(title)}${
        good ? arrow[good] : ""
      }</th>`
    ).join("")
  }</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>
<dl>${
    columns.map(({ title, meaning }) =>
      `<dt>${escaped(title)}</dt><dd>${escaped(meaning)}</dd>`
    ).join("")
  }</dl>${refused.join("")}</section>
`;
}

function cellOf(
  column: ExamColumn,
  result: MethodResult,
  exam: Exam,
): string {
  const value = column.value(result);
  if (value === undefined) return "<td>\u2013</td>";
  const others = exam.methods.filter(({ method }) => !isControl(method))
    .map(column.value).filter((one) => one !== undefined);
  const best = column.good === "high"
    ? Math.max(...others)
    : Math.min(...others);
  const marked = column.title === "when random" && isMarked(result);
  const isBest = column.good !== undefined && !isControl(result.method) &&
    others.length > 1 && column.write(value) === column.write(best);
  const share = column.good === undefined ? 0 : Math.min(1, Math.max(0, value));
  return `<td${
    marked ? ` class="marked"` : isBest ? ` class="best"` : ""
  } style="--share:${(100 * share).toFixed(0)}%">${marked ? "! " : ""}${
    escaped(column.write(value))
  }</td>`;
}

function curvesOf(exam: Exam): string {
  const figures = exam.methods.flatMap(({ method, curves, scores }) =>
    curves
      ? [
        `<figure>${curvesChart(curves)}<figcaption><b>${
          escaped(method)
        }</b><br>${scores.insertion!.mean.toFixed(3)} and ${
          scores.deletion!.mean.toFixed(3)
        }</figcaption></figure>`,
      ]
      : []
  );
  if (figures.length === 0) return "";
  return `<section><h2>Insertion and deletion</h2>
<p>The probability of the answer while the places of an image
<span class="key" style="--key:var(--good)">are shown</span> or
<span class="key" style="--key:var(--bad)">are removed</span>, the greatest of the
map first. The higher the first and the lower the second, the better the map knows
what counts.</p><div class="many">${figures.join("\n")}</div></section>
`;
}

function randomisationOf(exam: Exam): string {
  const figures = exam.methods.flatMap((result) => {
    const { method, randomisation } = result;
    if (!randomisation) return [];
    const { layers, correlations } = randomisation;
    return [
      `<figure>${randomisationChart(layers, correlations)}<figcaption><b>${
        escaped(method)
      }</b>${
        isMarked(result) ? `<br><span class="miss">does not change</span>` : ""
      }</figcaption></figure>`,
    ];
  });
  if (figures.length === 0) return "";
  return `<section><h2>With random weights</h2>
<p>Rank correlation of maps with those of the trained network, while its layers
become random from the last on. What stays high does not show what the network
learned.</p><div class="many">${figures.join("\n")}</div></section>
`;
}

function agreementOf(exam: Exam): string {
  if (!exam.agreement || exam.methods.length < 2) return "";
  return `<section><h2>Agreement</h2>
<p>Rank correlation between the maps of two methods, the mean over all images.</p>
${agreementTable(exam, escaped)}</section>
`;
}

/** One image and its maps. */
function sampleOf(
  sample: ExaminedImage,
  { names, dataset }: { names: readonly string[]; dataset: Dataset },
): string {
  const { classes } = dataset;
  const nameOf = (index: number) => printable(classes[index]!);
  const image = imageOf(dataset, sample.pixels, 0);
  const scale = SIDE / Math.max(image.height, image.width);
  const height = Math.max(1, Math.round(scale * image.height));
  const width = Math.max(1, Math.round(scale * image.width));
  const plain = resizeBilinear(image, height, width);
  const boxed = sample.explained.filter(({ boxes }) => boxes.length > 0);
  const shown = boxed.length > 0 ? boxed : sample.explained;
  const answer = `${nameOf(sample.predicted)} ${percent(sample.probability)}`;
  return shown.map(({ classIndex, boxes, maps }) => {
    const figures = maps.map((map, m) => {
      const sized = resizeMap(map, image.height, image.width);
      const place = greatestOf(sized);
      const hit = boxes.some((box) => isIn(place, box));
      const over = evidenceOverlay(plain, scaled(map), { alpha: 0.65 });
      const verdict = boxes.length === 0
        ? ""
        : ` <span class="${hit ? "hit" : "miss"}">${
          hit ? "hit" : "miss"
        }</span>`;
      return `<figure><div class="picture"><img alt="" src="${dataOf(over)}">${
        boxes.map((box) => frameOf(box, image)).join("")
      }<i class="dot${boxes.length > 0 && !hit ? " miss" : ""}" style="left:${
        part(place.x, image.width)
      };top:${part(place.y, image.height)}"></i></div><figcaption><b>${
        escaped(names[m]!)
      }</b>${verdict}</figcaption></figure>`;
    });
    return `<div class="sample"><h3>Evidence for ${
      escaped(nameOf(classIndex))
    } <span class="faint">in image ${sample.index}; the network says ${
      escaped(answer)
    }</span></h3>
<div class="strip"><figure><div class="picture"><img alt="" src="${
      dataOf(plain)
    }"></div><figcaption>image</figcaption></figure>${
      figures.join("\n")
    }</div></div>
`;
  }).join("");
}

function frameOf(box: Region, image: { height: number; width: number }) {
  return `<div class="box" style="left:${part(box.left, image.width)};top:${
    part(box.top, image.height)
  };width:${part(box.width, image.width)};height:${
    part(box.height, image.height)
  }"></div>`;
}

/** Of whatever unit a method's values are, the greatest becomes 1. */
function scaled(map: FloatMap): FloatMap {
  const greatest = map.data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return greatest > 0
    ? { ...map, data: map.data.map((value) => value / greatest) }
    : map;
}

/** The middle of the pixel with the greatest value. */
function greatestOf({ width, data }: FloatMap): { x: number; y: number } {
  let best = 0;
  data.forEach((value, i) => {
    if (value > data[best]!) best = i;
  });
  return { x: best % width + 0.5, y: Math.floor(best / width) + 0.5 };
}

function isIn({ x, y }: { x: number; y: number }, box: Region): boolean {
  return x >= box.left && x < box.left + box.width &&
    y >= box.top && y < box.top + box.height;
}

function part(value: number, of: number): string {
  return `${(100 * value / of).toFixed(2)}%`;
}

function isControl(name: string): boolean {
  return CONTROL_METHODS.some((control) => control.name === name);
}

function dataOf(image: Parameters<typeof toRgb>[0]): string {
  return `data:image/png;base64,${encodePng(toRgb(image)).toBase64()}`;
}

function escaped(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}
