/**
 * Charts of an exam's page.
 *
 * @module
 */

import type { Curves, Exam } from "../src/explain/exam/exam.ts";

const WIDTH = 180;
const HEIGHT = 96;
const LEFT = 20;
const BOTTOM = 14;

/** Insertion and deletion of one method. */
export function curvesChart({ shares, insertion, deletion }: Curves): string {
  return chart([
    line("insertion", shares, insertion),
    line("deletion", shares, deletion),
  ], { low: 0, x: ["0", "share of places", "1"] });
}

/** How alike maps stay while more layers are random. */
export function randomisationChart(
  layers: readonly number[],
  correlations: readonly number[],
): string {
  const all = layers.at(-1)!;
  return chart([
    line("insertion", [0, ...layers.map((count) => count / all)], [
      1,
      ...correlations,
    ], -1),
  ], { low: -1, x: ["none", "layers random", `${all}`] });
}

/** Rank correlations between methods, as a table. */
export function agreementTable(
  { methods, agreement }: Exam,
  nameOf: (name: string) => string,
): string {
  const names = methods.map(({ method }) => nameOf(method));
  const rows = (agreement ?? []).map((row, i) =>
    `<tr><th scope="row">${names[i]}</th>${
      row.map((value, j) =>
        i === j
          ? `<td class="faint">\u00b7</td>`
          : `<td style="background:color-mix(in srgb, ${
            value < 0 ? "var(--bad)" : "var(--good)"
          } ${(60 * Math.abs(value)).toFixed(0)}%, transparent)">${
            value.toFixed(2).replace("-", "\u2212")
          }</td>`
      ).join("")
    }</tr>`
  );
  return `<div class="wide"><table class="agreement"><thead><tr><th></th>${
    names.map((name) => `<th scope="col">${name}</th>`).join("")
  }</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function line(
  name: string,
  xs: readonly number[],
  ys: readonly number[],
  low = 0,
): string {
  const points = xs.map((x, i) => {
    const y = Math.min(1, Math.max(low, ys[i]!));
    return `${(LEFT + x * (WIDTH - LEFT)).toFixed(1)},${
      (HEIGHT * (1 - y) / (1 - low) + 4).toFixed(1)
    }`;
  });
  return `<polyline class="curve ${name}" points="${points.join(" ")}"/>`;
}

function chart(
  lines: readonly string[],
  { low, x }: { low: number; x: readonly [string, string, string] },
): string {
  const bottom = HEIGHT + 4;
  const zero = HEIGHT / (1 - low) + 4;
  const text = bottom + BOTTOM - 3;
  return `<svg viewBox="0 0 ${WIDTH} ${
    bottom + BOTTOM
  }" role="img" aria-hidden="true">
<path class="axis" d="M${LEFT} 4V${bottom}M${LEFT} ${zero}H${WIDTH}"/>
<text x="${LEFT - 4}" y="10" text-anchor="end">1</text><text x="${
    LEFT - 4
  }" y="${bottom}" text-anchor="end">${
    String(low).replace("-", "\u2212")
  }</text>
<text x="${LEFT}" y="${text}">${x[0]}</text><text x="${
    (LEFT + WIDTH) / 2
  }" y="${text}" text-anchor="middle">${
    x[1]
  }</text><text x="${WIDTH}" y="${text}" text-anchor="end">${x[2]}</text>
${lines.join("\n")}</svg>`;
}
