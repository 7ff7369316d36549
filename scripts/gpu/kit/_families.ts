/**
 * How near networks on the GPU must be to the CPU's, and how that reads.
 *
 * @module
 */

import { cell, lastJson, type Reading } from "./_read_output.ts";

/** What one network came to in one precision. */
export interface Family {
  name: string;
  precision: "f32" | "bf16";
  /** Norm of the difference over the CPU's norm. */
  logits?: number;
  losses?: number;
  error?: string;
}

/**
 * The most that {@linkcode Family} may differ: roundings of f32 grow through a
 * hundred layers; bf16 has 8 bits, and batch normalisations of few images
 * enlarge what they round.
 */
export const PRECISION_BOUNDS: Readonly<
  Record<Family["precision"], { logits: number; losses: number }>
> = {
  f32: { logits: 2e-3, losses: 2e-3 },
  bf16: { logits: 0.15, losses: 0.1 },
};

/** Norm of the difference over the norm of what is expected. */
export function differenceOf(
  found: Float32Array,
  expected: Float32Array,
): number {
  return Math.hypot(...found.map((value, i) => value - expected[i]!)) /
    Math.max(Math.hypot(...expected), 1e-6);
}

/** Why a network is not near enough; empty if it is. */
export function problemOf(family: Family): string {
  if (family.error) return family.error;
  for (const what of ["logits", "losses"] as const) {
    const apart = family[what], most = PRECISION_BOUNDS[family.precision][what];
    // JSON has no NaN.
    const near = typeof apart === "number" && apart <= most;
    if (!near) return `${what} are ${apart ?? NaN} apart`;
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
    "| network | precision | logits | losses | |",
    "|---|---|---|---|---|",
    ...found.families.map((family) => {
      const { name, precision, logits, losses } = family;
      const problem = problemOf(family);
      const shown = (value?: number) => value?.toExponential(1) ?? "";
      return `| ${name} | ${precision} | ${shown(logits)} | ${shown(losses)} ` +
        `| ${problem ? `**${cell(problem).slice(0, 160)}**` : "holds"} |`;
    }),
    ...(found.leftOut.length > 0
      ? ["", `Left out, no time for them: ${found.leftOut.join(", ")}.`]
      : []),
  ].join("\n");
  if (failed.length === 0) return { markdown };
  const names = failed.map(({ name, precision }) => `${name} ${precision}`);
  return { problem: `not the CPU's: ${names.join(", ")}`, markdown };
}
