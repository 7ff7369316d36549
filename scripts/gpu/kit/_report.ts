import {
  benchmarkMarkdown,
  type BenchmarkResult,
  goalLines,
} from "./_benchmark.ts";
import type { StepResult } from "./_steps.ts";

/** Lines of a failed step's output that the report shows, and how much of each. */
const SHOWN_LINES = 25, SHOWN_LENGTH = 160;

/** The end of what a step printed, as far as it can be read. */
function endOf(output: string): string[] {
  const lines = output.trimEnd().split("\n");
  return lines.slice(-SHOWN_LINES).map((line) => {
    // What programs read is in the tables above.
    if (/^[{[].{80}/.test(line)) return `(${line.length} characters of JSON)`;
    return line.length > SHOWN_LENGTH
      ? `${line.slice(0, SHOWN_LENGTH)} ...`
      : line;
  });
}

/**
 * The kit's report.
 *
 * @param steps What was run so far.
 * @param options `benchmark`: what was timed. `small`: whether this was the
 * small run, which proves the kit and says nothing of a GPU. `revision`: of
 * the sources.
 */
export function formatReport(
  steps: readonly StepResult[],
  options: {
    benchmark: BenchmarkResult | undefined;
    small: boolean;
    revision: string;
  },
): string {
  const { benchmark, small, revision } = options;
  const lines = [
    "# gapcam on a GPU",
    "",
    `Written by \`sh scripts/gpu/kit.sh\` on ${new Date().toISOString()}` +
    `${revision ? `, revision ${revision}` : ""}.`,
    "",
  ];
  if (small) {
    lines.push(
      "**A small run, which proves the kit's own steps: its numbers say " +
        "nothing of a GPU.**",
      "",
    );
  }
  lines.push(
    "| step | result | seconds | |",
    "|---|---|---|---|",
    ...steps.map(({ name, status, seconds, reason }) =>
      `| ${name} | ${status} | ${seconds.toFixed(0)} | ${
        reason.replaceAll("|", "\\|").replace(/\s+/g, " ")
      } |`
    ),
    "",
    "## Goals",
    "",
    ...goalLines(small ? undefined : benchmark),
  );
  for (const { name, title, status, reason, output, markdown } of steps) {
    lines.push("", `## ${title}`, "");
    lines.push(
      `**${status}**${reason ? `: ${reason.replace(/\s+/g, " ")}` : ""}`,
    );
    if (markdown) lines.push("", markdown);
    if (name === "benchmark" && benchmark) {
      lines.push("", benchmarkMarkdown(benchmark));
    }
    if (status !== "failed") continue;
    lines.push("", "```text", ...endOf(output), "```", "");
    lines.push("All that it printed is in kit.log.");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}
