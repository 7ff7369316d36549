/**
 * Predictions as a table for people and as one for programs.
 *
 * @module
 */

import { printable } from "../src/_printable.ts";
import { percent } from "../src/cam/_wording.ts";

/** What is said of one image. */
export interface Answer {
  /** The file's path, or the image's number in the data set. */
  image: string | number;
  /** The class that the data set says. */
  label?: string;
  top: { index: number; class: string; probability: number }[];
  /** The pictures of its map, where they were asked for. */
  files?: string[];
}

/** What a table has room for; longer names are cut. */
const MOST_NAME = 28, MOST_IMAGE = 60;

/** A table that is printed row by row, so its columns are known beforehand. */
export class PredictionTable {
  readonly #widths: { image: number; label: number; name: number };
  readonly #top: number;

  /** @param options Names of all images and classes, and how many are listed. */
  constructor(options: {
    images: readonly string[];
    classes: readonly string[];
    labelled: boolean;
    top: number;
  }) {
    const widest = (names: readonly string[], most: number, least: number) =>
      names.reduce(
        (w, name) => Math.max(w, Math.min(most, [...name].length)),
        least,
      );
    const classes = options.classes.map((name) => printable(name));
    const name = widest(classes, MOST_NAME, 6);
    this.#top = options.top;
    this.#widths = {
      image: widest(options.images.map((one) => printable(one)), MOST_IMAGE, 5),
      label: options.labelled ? name : 0,
      name,
    };
  }

  /** The line above the rows. */
  head(): string {
    const places = Array.from({ length: this.#top }, (_, i) => ({
      name: i === 0 ? "answer" : `${i + 1}`,
      share: "",
    }));
    return this.#line("image", "label", places);
  }

  /** One image's row. */
  row(image: string, { label, top }: Answer): string {
    return this.#line(
      printable(image),
      printable(label ?? ""),
      top.map(({ class: name, probability }) => ({
        name: printable(name),
        share: percent(probability),
      })),
    );
  }

  #line(
    image: string,
    label: string,
    places: readonly { name: string; share: string }[],
  ): string {
    const { image: imageWidth, label: labelWidth, name } = this.#widths;
    return [
      cell(image, imageWidth),
      ...(labelWidth > 0 ? [cell(label, labelWidth)] : []),
      ...places.map((one) =>
        `${cell(one.name, name)} ${one.share.padStart(7)}`
      ),
    ].join("  ").trimEnd();
  }
}

/** A text as wide as a column. */
function cell(text: string, width: number): string {
  const letters = [...text];
  return letters.length <= width
    ? text + " ".repeat(width - letters.length)
    : `${letters.slice(0, width - 1).join("")}…`;
}

/** Predictions as comma-separated values (RFC 4180), with a line of names. */
export function predictionCsv(
  answers: readonly Answer[],
  options: { labelled: boolean; top: number },
): Uint8Array {
  const places = Array.from({ length: options.top }, (_, i) => i + 1);
  const rows = [
    [
      "image",
      ...(options.labelled ? ["label"] : []),
      ...places.flatMap((n) => [`class${n}`, `probability${n}`]),
    ],
    ...answers.map(({ image, label, top }) => [
      String(image),
      ...(options.labelled ? [label ?? ""] : []),
      ...top.flatMap((one) => [one.class, String(one.probability)]),
    ]),
  ];
  const text = rows.map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
  return new TextEncoder().encode(text);
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
