/**
 * An exam as a table, on a terminal.
 *
 * @module
 */

import type { Exam, MethodResult } from "../src/explain/exam/exam.ts";
import {
  SCORE_KINDS,
  type ScoreKind,
  type ScoreName,
} from "../src/explain/exam/measures.ts";
import { formatTable } from "./_table.ts";

/** Scores that tables leave to JSON. */
const DETAILS: readonly ScoreName[] = ["box-half", "road-morf", "road-lerf"];

/** A column: what stands above it, and what a method has in it. */
export interface ExamColumn {
  title: string;
  /** Which values are good; undefined where none is. */
  good: ScoreKind["good"] | undefined;
  meaning: string;
  /** undefined where a method has none. */
  value(result: MethodResult): number | undefined;
  write(value: number): string;
}

/** The columns of what was measured. */
export function examColumns(exam: Exam): ExamColumn[] {
  const scores = (Object.keys(SCORE_KINDS) as ScoreName[])
    .filter((name) => !DETAILS.includes(name))
    .filter((name) => exam.methods.some(({ scores }) => scores[name]))
    .map((name): ExamColumn => {
      const { title, good, meaning } = SCORE_KINDS[name];
      return {
        title,
        good,
        meaning,
        value: ({ scores }) => scores[name]?.mean,
        write: SHARES.includes(name)
          ? (value) => `${(100 * value).toFixed(1)} %`
          : (value) => signed(value, 3),
      };
    });
  const columns: ExamColumn[] = [
    ...scores,
    {
      title: "when random",
      good: undefined,
      meaning: "rank correlation with the maps of the network with all its " +
        "layers random; ! where it is above 0.5: such maps do not show what it learned",
      value: ({ randomisation }) => randomisation?.correlations.at(-1),
      write: (value) => signed(value, 2),
    },
    {
      title: "ms a map",
      good: undefined,
      meaning: "time of one map, in batches",
      value: ({ secondsPerMap }) =>
        secondsPerMap === undefined ? undefined : 1000 * secondsPerMap,
      write: (value) =>
        value < 0.1 ? "<0.1" : value < 10 ? value.toFixed(1) : value.toFixed(0),
    },
  ];
  return columns.filter(({ value }) =>
    exam.methods.some((result) => value(result) !== undefined)
  );
}

const SHARES: readonly ScoreName[] = [
  "pointing",
  "which",
  "inside",
  "drop",
  "increase",
];

/** With a true minus sign, and none before zero. */
function signed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0
    ? text.replace("-", "")
    : text.replace("-", "\u2212");
}

/** Whether a method's maps do not depend on what the network learned. */
export function isMarked({ randomisation }: MethodResult): boolean {
  return randomisation?.unchanged ?? false;
}

/** What was examined, in a sentence. */
export function examTitle(exam: Exam): string {
  const { images, right, dataset, split } = exam;
  const of = dataset.startsWith("mosaics") ? "" : " images of";
  return `Exam on ${images}${of} ${dataset} (${split} split)` +
    // A mosaic has four answers, of which its label is one.
    (of
      ? `, of which the network answers ${
        (100 * right / images).toFixed(1)
      } % right`
      : "");
}

/** Writes an exam as a table, and below it what its columns say. */
export function formatExam(exam: Exam): string {
  const columns = examColumns(exam);
  const arrow = { high: " \u2191", low: " \u2193" };
  const table = formatTable(
    [
      "method",
      ...columns.map(({ title, good }) => title + (good ? arrow[good] : "")),
    ],
    exam.methods.map((result) => [
      result.method,
      ...columns.map(({ title, value, write }) => {
        const found = value(result);
        if (found === undefined) return "-";
        const mark = title === "when random" && isMarked(result) ? "!" : "";
        return `${mark}${write(found)}`;
      }),
    ]),
    { right: columns.map((_, i) => i + 1) },
  );
  const width = Math.max(...columns.map(({ title }) => title.length));
  return [
    examTitle(exam),
    "",
    table,
    "",
    ...columns.map(({ title, meaning }) =>
      `${title.padEnd(width)}  ${meaning}`
    ),
    ...exam.refused.map(({ method, reason }) =>
      `\n${method} is left out: ${reason}`
    ),
  ].join("\n");
}
