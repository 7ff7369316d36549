/**
 * What the kit's report shows of what its steps print.
 *
 * @module
 */

/** What a step's output says; `problem` if not all is well. */
export interface Reading {
  problem?: string;
  markdown?: string;
}

const TEST_LINE = /^(.+) \.\.\. (ok|FAILED|ignored)(?: \((.+)\))?$/;

/**
 * Reads what `deno test` printed.
 *
 * @param output Its standard output.
 * @param mustRun Start of the names of tests of which one at least must pass.
 */
export function readTests(output: string, mustRun = ""): Reading {
  const rows: string[] = [];
  const counts: Record<string, number> = { ok: 0, FAILED: 0, ignored: 0 };
  let ran = 0;
  // Deno says this in the middle of a slow test's line.
  const whole = output.replace(/'.*' has been running for over .*\n/g, "");
  const said: string[] = [];
  for (const line of whole.split("\n")) {
    if (line.startsWith("worst relative error")) said.push(line, "");
    const [, name, result, time] = TEST_LINE.exec(line.trim()) ?? [];
    if (name === undefined || result === undefined) continue;
    counts[result] = (counts[result] ?? 0) + 1;
    if (result === "ok" && name.startsWith(mustRun)) ran++;
    rows.push(`| ${cell(name)} | ${result} | ${time ?? ""} |`);
  }
  const summary = `${counts.ok} passed, ${counts.FAILED} failed, ` +
    `${counts.ignored} skipped`;
  const markdown =
    `${summary}\n\n${
      said.join("\n")
    }\n| test | result | time |\n|---|---|---|\n` +
    rows.join("\n");
  if (counts.FAILED! > 0) {
    return { problem: `${counts.FAILED} of its tests failed`, markdown };
  }
  if (ran === 0) return { problem: "none of its tests passed", markdown };
  return { markdown };
}

/** Reads what `doctor --json` printed; the GPU must be there. */
export function readDoctor(output: string): Reading {
  const found = lastJson(output) as
    | { findings: { name: string; found: boolean; detail: string }[] }
    | undefined;
  if (!found) return { problem: "it printed no findings" };
  const markdown = "| what | found | detail |\n|---|---|---|\n" +
    found.findings.map(({ name, found, detail }) =>
      `| ${cell(name)} | ${found ? "yes" : "no"} | ${cell(detail)} |`
    ).join("\n");
  const gpu = found.findings.find(({ name }) => name === "GPU");
  return gpu?.found
    ? { markdown }
    : { problem: gpu?.detail ?? "it looked for no GPU", markdown };
}

/** Reads what compute-sanitizer printed; it must have counted no error. */
export function readSanitizer(output: string): Reading {
  const summaries = [...output.matchAll(/ERROR SUMMARY: (\d+) errors?/g)];
  if (summaries.length === 0) return { problem: "it gave no error summary" };
  const errors = summaries.reduce((sum, [, count]) => sum + Number(count), 0);
  const markdown = `${errors} errors`;
  return errors > 0 ? { problem: markdown, markdown } : { markdown };
}

/** Reads what benchmark.ts printed; its numbers are in its file. */
export function readBenchmark(output: string): Reading {
  const [, problem] = /^failed: (.*)$/m.exec(output) ?? [];
  return problem === undefined ? {} : { problem };
}

/** The last JSON object of a text that may begin with other lines. */
export function lastJson(text: string): unknown {
  const lines = text.split("\n");
  for (let i = lines.length - 1; i >= 0; i--) {
    if (!lines[i]!.startsWith("{")) continue;
    const rest = lines.slice(i).join("\n");
    try {
      return JSON.parse(rest.slice(0, rest.lastIndexOf("}") + 1));
    } catch {
      // An inner object that lies at the start of a line, or a cut one.
    }
  }
  return undefined;
}

/** Text that fits in a cell of a table. */
export function cell(text: string): string {
  return text.replaceAll("|", "\\|").replace(/\s+/g, " ");
}
