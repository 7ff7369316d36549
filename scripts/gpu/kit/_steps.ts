import { readFileSync } from "node:fs";

/** What a step came to. */
export type StepStatus = "passed" | "failed" | "skipped";

/** One step of the kit: a command under a time limit. */
export interface Step {
  /** Name of the step, one word. */
  name: string;
  /** What it shows, for the report. */
  title: string;
  /** The most seconds it may take. */
  limit: number;
  /** Program and arguments; the reason if there is nothing to run. */
  command: readonly string[] | { skip: string };
  /** Environment beside this process's. */
  env?: Readonly<Record<string, string>>;
  /**
   * What else must hold of its output, and what to show of it. `problem` fails
   * the step.
   */
  read?: (output: string) => { problem?: string; markdown?: string };
}

/** A step that was run, or not. */
export interface StepResult {
  name: string;
  title: string;
  status: StepStatus;
  seconds: number;
  /** Why it failed or was skipped; empty if it passed. */
  reason: string;
  /** All that it printed. */
  output: string;
  /** What the report shows of it. */
  markdown: string;
}

/**
 * Runs a step; a failing or endless one is a failed result, never an error.
 *
 * @param step What to run.
 * @param options `seconds`: what is left of the kit's time. `log`: file for
 * what the step prints.
 */
export async function runStep(
  step: Step,
  options: { seconds: number; log: string },
): Promise<StepResult> {
  const { name, title, command } = step;
  const result = {
    name,
    title,
    seconds: 0,
    output: "",
    reason: "",
    markdown: "",
  };
  if ("skip" in command) {
    return { ...result, status: "skipped", reason: command.skip };
  }
  const limit = Math.floor(Math.min(step.limit, options.seconds));
  if (limit < 5) {
    return { ...result, status: "failed", reason: "no time was left for it" };
  }
  const start = performance.now();
  // `timeout` ends the command's children too.
  const { code } = await new Deno.Command("sh", {
    args: [
      "-c",
      'log=$1; limit=$2; shift 2; exec timeout -k 5 "$limit" "$@" >"$log" 2>&1',
      "sh",
      options.log,
      String(limit),
      ...command,
    ],
    env: { NO_COLOR: "1", ...step.env },
    stdin: "null",
  }).output();
  const output = readFileSync(options.log, "utf8");
  const { problem, markdown = "" } = step.read?.(output) ?? {};
  const reason = code === 124 || code === 137
    ? `it took longer than ${limit} s`
    : problem ?? (code === 0 ? "" : `exit code ${code}`);
  return {
    ...result,
    status: reason === "" ? "passed" : "failed",
    seconds: (performance.now() - start) / 1000,
    reason,
    output,
    markdown,
  };
}
