/**
 * One page of many explained images: a file that holds all it shows.
 *
 * @module
 */

import { printable } from "../src/_printable.ts";
import { writeAtomically } from "../src/_write_atomically.ts";
import { barColour } from "../src/cam/_figure_parts.ts";
import { percent, short, topClasses } from "../src/cam/_wording.ts";
import { evidenceColours } from "../src/cam/evidence_overlay.ts";
import { evidenceScale } from "../src/cam/evidence_scale.ts";
import { fitWithin } from "../src/image/_fit_within.ts";
import { encodePng } from "../src/image/encode_png.ts";
import type { Image } from "../src/image/image.ts";
import { toRgb } from "../src/image/to_rgb.ts";
import { drawnBox, type Look, overlayOf } from "./_cam_pictures.ts";
import { SCRIPT, STYLE } from "./_cam_page_style.ts";
import type { Subject } from "./_explain.ts";

/** Longer side of a picture on the page, at most. */
const LARGEST = 512;

/** A map on the page: what it is of, and its values' scale. */
interface Shown {
  subject: Subject;
  title: string;
}

/** Collects images and writes them as one page. */
export class CamPage {
  readonly #look: Look;
  readonly #lines: readonly string[];
  readonly #articles: Uint8Array[] = [];

  /** @param lines What is said of the network, below all images. */
  constructor(look: Look, lines: readonly string[]) {
    this.#look = look;
    this.#lines = lines;
  }

  /** Adds an image with its maps. */
  add(subject: Subject): void {
    this.#articles.push(encode(articleOf(subject, this.#look)));
  }

  /** Writes the page. */
  async write(path: string): Promise<void> {
    const { alpha } = this.#look.notebook
      ? { alpha: this.#look.colours.alpha ?? 0.4 }
      : evidenceColours(this.#look.colours);
    await writeAtomically(path, [
      encode(head(Math.round(100 * alpha), this.#articles.length)),
      ...this.#articles,
      encode(
        `</main>\n<footer>${
          this.#lines.map((line) => `<p>${escaped(line)}</p>`).join("")
        }</footer>\n<script>${SCRIPT}</script>\n</body>\n</html>\n`,
      ),
    ], { makeFolder: true });
  }
}

function head(alpha: number, count: number): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Where the network looks</title>
<style>:root { --alpha: ${alpha / 100}; }
${STYLE}</style>
</head>
<body>
<header>
<h1>Where the network looks</h1>
<div class="tools">
<label for="alpha">Colours</label>
<input id="alpha" type="range" min="0" max="100" value="${alpha}">
<output id="share" for="alpha">${alpha} %</output>
</div>
</header>
<main aria-label="${count} ${count === 1 ? "image" : "images"}">
`;
}

function articleOf(subject: Subject, look: Look): string {
  const { explanation, label } = subject;
  const { classes } = look;
  const { predicted, probabilities, likeliest, against } = explanation;
  const plain = fitWithin(subject.plain, Math.min(LARGEST, longest(subject)));
  const nameOf = (index: number) => printable(classes[index]!);
  const shown: Shown[] = likeliest
    ? likeliest.map((one) => ({
      title: `${nameOf(one.classIndex)}, ${
        percent(probabilities[one.classIndex]!)
      }, logit ${short(one.proof.logit)}`,
      subject: {
        ...subject,
        explanation: {
          ...explanation,
          ...one,
          place: one.place!,
          peak: peakOf(subject),
        },
      },
    }))
    : [{
      subject,
      title: against === undefined
        ? `${explanation.title ?? "evidence"} for ${
          nameOf(explanation.classIndex)
        }, logit ${short(valueOf(explanation))}`
        : `${nameOf(explanation.classIndex)} against ${
          nameOf(against)
        }, difference of the logits ${short(valueOf(explanation))}`,
    }];
  const says = `${nameOf(predicted)} ${percent(probabilities[predicted]!)}`;
  const verdict = label === undefined
    ? `<h2>${escaped(says)}</h2>`
    : predicted === label
    ? `<h2 class="right">right: ${escaped(says)}</h2>`
    : `<h2 class="wrong">wrong: ${escaped(says)}, labelled ${
      escaped(nameOf(label))
    }</h2>`;
  const rows = topClasses(probabilities).map(({ index, probability }) =>
    `<tr><th scope="row">${escaped(nameOf(index))}</th><td>${
      percent(probability)
    }</td><td class="bar"><i style="width:${
      (100 * probability).toFixed(1)
    }%"></i></td></tr>`
  ).join("");
  return `<article style="--plain:url(${
    dataOf(plain)
  });--width:${plain.width}px;--shape:${plain.width}/${plain.height}">
${verdict}
<div class="row">
<figure><div class="picture" role="img" aria-label="${
    escaped(subject.title)
  }"></div><figcaption>${
    escaped(printable(subject.title))
  }</figcaption></figure>
${shown.map((one) => figureOf(one, plain, look)).join("\n")}
<table><caption>likeliest</caption><tbody>${rows}</tbody></table>
</div>
${subject.note ? `<p>${escaped(subject.note)}</p>` : ""}
</article>
`;
}

/** One map over the picture, with its scale. */
function figureOf({ subject, title }: Shown, plain: Image, look: Look): string {
  const { map, peak, painted = map, title: made } = subject.explanation;
  const box = drawnBox(subject, map, { look, plain });
  const part = (value: number, of: number) =>
    `${(100 * value / of).toFixed(2)}%`;
  const frame = box
    ? `<div class="box" style="left:${part(box.left, plain.width)};top:${
      part(box.top, plain.height)
    };width:${part(box.width, plain.width)};height:${
      part(box.height, plain.height)
    }"></div>`
    : "";
  const scale = evidenceScale(painted, {
    signed: look.colours.signed ?? false,
    peak,
    unit: made === undefined ? 1 : 0,
  });
  const { colormap, fade } = look.notebook
    ? { colormap: look.colours.colormap ?? "jet" as const, fade: false }
    : evidenceColours(look.colours);
  const [first, last] = look.notebook
    ? [scale.minimum, scale.maximum]
    : [scale.first, scale.last];
  const stops = Array.from({ length: 17 }, (_, i) => {
    const colour = barColour(Math.min(i / 16, 0.9999), { colormap, fade });
    return `rgb(${colour.join(" ")})`;
  });
  const range = scale.flat && !look.notebook
    ? "about the same everywhere"
    : `${short(scale.minimum)} to ${short(scale.maximum)}${
      sidesOf(subject, look)
    }`;
  return `<figure><div class="picture" role="img" aria-label="${
    escaped(title)
  }"><img class="map" alt="" src="${
    dataOf(layerOf(subject, plain, look))
  }">${frame}</div><figcaption>${escaped(title)}<span class="scale"><span>${
    short(first)
  }</span><i style="background:linear-gradient(90deg,${
    stops.join(",")
  })"></i><span>${short(last)}</span></span><small>the map: ${
    escaped(range)
  }</small></figcaption></figure>`;
}

/** The logit, or the difference of two, that a map explains. */
function valueOf(
  { classIndex, against, logits }: Subject["explanation"],
): number {
  return logits[classIndex]! - (against === undefined ? 0 : logits[against]!);
}

/** What the two colours of a map around zero speak for. */
function sidesOf({ explanation }: Subject, look: Look): string {
  const { classIndex, against } = explanation;
  if (!look.colours.signed) return "";
  const nameOf = (index: number) => printable(look.classes[index]!);
  return against === undefined
    ? "; red for it, blue against"
    : `; red for ${nameOf(classIndex)}, blue for ${nameOf(against)}`;
}

/**
 * What lies over a picture, with how much of it covers: what is drawn over black
 * and over white says both.
 */
function layerOf(subject: Subject, plain: Image, look: Look): Image {
  const { height, width } = plain;
  const bare = {
    ...look,
    boxes: false,
    colours: { ...look.colours, alpha: 1 },
  };
  const over = (level: number) =>
    overlayOf(
      subject,
      {
        height,
        width,
        channels: 1,
        data: new Uint8Array(height * width).fill(level),
      },
      bare,
    ).data;
  const black = over(0);
  const white = over(255);
  const data = new Uint8Array(height * width * 4);
  for (let i = 0; i < height * width; i++) {
    let through = 0;
    for (let c = 0; c < 3; c++) {
      through = Math.max(through, white[3 * i + c]! - black[3 * i + c]!);
    }
    const cover = 255 - through;
    data[4 * i + 3] = cover;
    if (cover === 0) continue;
    for (let c = 0; c < 3; c++) {
      const level = Math.round(255 * black[3 * i + c]! / cover);
      data[4 * i + c] = Math.min(255, level);
    }
  }
  return { height, width, channels: 4, data };
}

/** The greatest absolute value of the maps that lie side by side. */
function peakOf({ explanation }: Subject): number {
  return (explanation.likeliest ?? []).reduce(
    (most, { map }) =>
      map.data.reduce((a, b) => Math.max(a, Math.abs(b)), most),
    0,
  );
}

function longest({ plain }: Subject): number {
  return Math.max(plain.height, plain.width);
}

function dataOf(image: Image): string {
  const picture = image.channels === 4 ? image : toRgb(image);
  return `data:image/png;base64,${encodePng(picture).toBase64()}`;
}

function escaped(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
