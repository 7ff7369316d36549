import type { Check } from "./_curves.ts";
import { cell, lastJson, type Reading } from "./_read_output.ts";

/** Reads what training.ts prints. */
export function readTraining(output: string): Reading {
  const found = lastJson(output) as {
    steps: number;
    batchSize: number;
    curves: Record<string, { losses: number[]; seconds: number }>;
    checks: Check[];
  } | undefined;
  if (!found) return { problem: "it printed no losses" };
  const names = Object.keys(found.curves).filter((name) => name !== "cpu");
  const rows = Array.from(
    { length: 11 },
    (_, i) => Math.min(found.steps - 1, Math.round(i * found.steps / 10)),
  );
  const markdown = [
    "| check | result | |",
    "|---|---|---|",
    ...found.checks.map(({ what, passed, detail }) =>
      `| ${cell(what)} | ${passed ? "holds" : "**fails**"} | ${cell(detail)} |`
    ),
    "",
    `| step | ${names.map((name) => `loss, ${name}`).join(" | ")} |`,
    `|---|${names.map(() => "---|").join("")}`,
    ...rows.map((step) =>
      `| ${step + 1} | ${
        names.map((name) => found.curves[name]!.losses[step]?.toFixed(4) ?? "")
          .join(" | ")
      } |`
    ),
    `| seconds | ${
      names.map((name) => found.curves[name]!.seconds.toFixed(1)).join(" | ")
    } |`,
  ].join("\n");
  const failed = found.checks.filter(({ passed }) => !passed);
  return failed.length > 0
    ? { problem: `${failed.map(({ what }) => `not so: ${what}`)}`, markdown }
    : { markdown };
}
