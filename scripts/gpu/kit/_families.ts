/**
 * How near networks on the GPU must be to the CPU's, and how that reads.
 *
 * @module
 */

import { cell, lastJson, type Reading } from "./_read_output.ts";

/** What is compared of a network. */
export const MEASURES = ["loss", "statistics", "gradients", "logits"] as const;

/** One of {@linkcode MEASURES}. */
export type Measure = typeof MEASURES[number];

/** Values of each measure, in parts that are compared each for itself. */
export type Measured = Record<Measure, readonly Float32Array[]>;

/** What one network came to in one precision. */
export interface Family {
  name: string;
  precision: "f32" | "bf16";
  /** By measure how far the GPU is from the CPU: 0 the same, 1 as far as nothing is. */
  apart?: Partial<Record<Measure, number>>;
  error?: string;
}

/**
 * The most that {@linkcode Family} may be apart. `families.ts --trial` shows
 * what two ways of the CPU to convolve come to, and bf16 there: at most, over
 * all networks and seeds 1 and 2,
 *
 * |            | f32    | bf16   |
 * |------------|--------|--------|
 * | loss       | 8e-7   | 2.9e-2 |
 * | statistics | 8e-5   | 0.27   |
 * | gradients  | 1.9e-2 | 1.9    |
 * | logits     | 7e-5   | 0.5    |
 *
 * A tensor's gradient that is left out comes to 1, and bf16 in the place of f32
 * to more than f32's bounds with each network. Only gradients in bf16 come to 1
 * in health too: its roundings move values over the kinks of ReLUs, and through
 * fifty layers of fresh weights a gradient then points elsewhere. There the
 * bound tells but what grows without end.
 *
 * Losses of later steps are not compared: a step by gradients that are 1e-2
 * apart, of rate 1e-3, brought losses up to 0.03 apart, and two more 0.12.
 */
export const BOUNDS: Readonly<
  Record<Family["precision"], Readonly<Record<Measure, number>>>
> = {
  f32: { loss: 2e-5, statistics: 1e-3, gradients: 0.15, logits: 1e-3 },
  bf16: { loss: 0.1, statistics: 0.6, gradients: 4, logits: 1 },
};

/** This share of the norm of all parts counts with each: less is noise. */
const FLOOR = 1e-3;

/**
 * The largest, of all parts, norm of the difference over the norm of what is
 * expected: a fault in the gradient of one tensor must not hide behind others.
 */
export function apartOf(
  found: readonly Float32Array[],
  expected: readonly Float32Array[],
): number {
  const floor = FLOOR * Math.hypot(...expected.map(normOf));
  let worst = 0;
  for (const [i, values] of expected.entries()) {
    const difference = values.map((value, j) => found[i]![j]! - value);
    const apart = normOf(difference) / Math.max(normOf(values) + floor, 1e-12);
    // Math.max would pass on NaN, but JSON has none, and no infinity.
    worst = Number.isFinite(apart) ? Math.max(worst, apart) : NaN;
    if (Number.isNaN(worst)) break;
  }
  return worst;
}

/** Root of the sum of squares; a spread over millions of values overflows the stack. */
function normOf(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

/** Why a network is not near enough; empty if it is. */
export function problemOf({ error, apart, precision }: Family): string {
  if (error) return error;
  for (const measure of MEASURES) {
    const found = apart?.[measure], most = BOUNDS[precision][measure];
    // JSON has no NaN.
    const near = typeof found === "number" && found <= most;
    if (near) continue;
    return `${measure}: ${found?.toExponential(1) ?? NaN} apart, ` +
      `at most ${most} allowed`;
  }
  return "";
}

/** Reads what families.ts prints. */
export function readFamilies(output: string): Reading {
  const found = lastJson(output) as {
    families: Family[];
    leftOut: string[];
  } | undefined;
  if (!found || found.families.length === 0) {
    return { problem: "it printed no networks" };
  }
  const failed = found.families.filter((family) => problemOf(family));
  const markdown = [
    "How far the GPU is from the CPU: 0 the same, 1 unlike. Gradients in bf16 " +
    "say little.",
    "",
    `| network | precision | ${MEASURES.join(" | ")} | |`,
    `|---|---|${MEASURES.map(() => "---|").join("")}---|`,
    ...found.families.map((family) => {
      const { name, precision, apart } = family;
      const problem = problemOf(family);
      const shown = MEASURES.map((one) => apart?.[one]?.toExponential(1) ?? "");
      return `| ${name} | ${precision} | ${shown.join(" | ")} ` +
        `| ${problem ? `**${cell(problem).slice(0, 240)}**` : "holds"} |`;
    }),
    ...(found.leftOut.length > 0
      ? ["", `Left out, no time for them: ${found.leftOut.join(", ")}.`]
      : []),
  ].join("\n");
  if (failed.length === 0) return { markdown };
  const names = failed.map(({ name, precision }) => `${name} ${precision}`);
  return { problem: `not the CPU's: ${names.join(", ")}`, markdown };
}
