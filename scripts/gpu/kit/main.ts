/**
 * What kit.sh runs: every step under its own limit, all within the kit's time,
 * and a report that is written anew after each step, so that a run that is cut
 * short has one too. What measures no speed runs at the same time, and the
 * benchmark alone when all else has ended.
 *
 *   deno run -A scripts/gpu/kit/main.ts OUT
 *
 * @module
 */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BenchmarkResult } from "./_benchmark.ts";
import { endCompiling, startCompiling } from "./_compiling.ts";
import { kitSteps } from "./_kit_steps.ts";
import { readDoctor } from "./_read_output.ts";
import { formatReport } from "./_report.ts";
import { runStep, type Step, type StepResult } from "./_steps.ts";

const out = Deno.args[0]!;
const small = Deno.env.get("KIT_SMALL") === "1";
const seconds = Number(Deno.env.get("KIT_SECONDS") ?? 470);
const python = Deno.env.get("GAPCAM_PYTHON") ?? "";
const root = fileURLToPath(new URL("../../../", import.meta.url));
const start = performance.now();
const benchmarkFile = `${out}/benchmark.json`;

function left(): number {
  return seconds - (performance.now() - start) / 1000;
}

const steps = kitSteps({ small, python, root, benchmarkFile });
const results: StepResult[] = [];

function benchmarkResult(): BenchmarkResult | undefined {
  return existsSync(benchmarkFile)
    ? JSON.parse(readFileSync(benchmarkFile, "utf8"))
    : undefined;
}

function writeReport(): void {
  const file = `${out}/gpu-report.md`;
  const revision = existsSync(`${root}REVISION`)
    ? readFileSync(`${root}REVISION`, "utf8").trim()
    : "";
  Deno.writeTextFileSync(
    `${file}.tmp`,
    formatReport(results, { benchmark: benchmarkResult(), small, revision }),
  );
  Deno.renameSync(`${file}.tmp`, file);
}

Deno.chdir(root);
rmSync(benchmarkFile, { force: true });
let gpu = true;

async function run(step: Step): Promise<void> {
  const log = `${out}/${step.name}.log`;
  // The benchmark ends by itself, in good order, before its limit does.
  const command = !gpu
    ? { skip: "there is no GPU to use" }
    : step.name === "benchmark" && !("skip" in step.command)
    ? [...step.command, String(Math.floor(left() - 8))]
    : step.command;
  const result = await runStep({ ...step, command }, { seconds: left(), log });
  results.push(result);
  results.sort((a, b) => placeOf(a) - placeOf(b));
  console.log(
    `${result.status.padEnd(8)} ${result.name.padEnd(11)} ` +
      `${result.seconds.toFixed(0).padStart(4)} s  ${result.reason}`,
  );
  writeReport();
}

function placeOf({ name }: StepResult): number {
  return steps.findIndex((step) => step.name === name);
}

const [machine, doctor, ...others] = steps;
await run(machine!);
await run(doctor!);
// One that was cut short says nothing.
const { problem, markdown } = readDoctor(results[1]!.output);
gpu = problem === undefined || markdown === undefined;
const compiling = gpu && !small && python !== ""
  ? startCompiling(python)
  : undefined;
// What measures no speed runs at the same time, as far as a processor allows.
const waiting = others.filter(({ name }) => name !== "benchmark");
const atOnce = Math.max(1, Math.floor(navigator.hardwareConcurrency / 2));
await Promise.all(Array.from({ length: atOnce }, async () => {
  for (let step = waiting.shift(); step; step = waiting.shift()) {
    await run(step);
  }
}));
// The benchmark would pay with longer waits for what is not compiled by then.
if (compiling) await endCompiling(compiling, { seconds: 30 });
await run(others.at(-1)!);
// One file instead of many: few come back from a machine that is lent.
Deno.writeTextFileSync(
  `${out}/kit.log`,
  results.map(({ name, output }) => `==== ${name} ====\n${output}`).join("\n"),
);
for (const { name } of steps) rmSync(`${out}/${name}.log`, { force: true });
const failed = results.filter(({ status }) => status === "failed");
console.log(
  failed.length === 0
    ? `All steps passed: ${out}/gpu-report.md`
    : `Failed: ${failed.map(({ name }) => name).join(", ")}; ` +
      `${out}/gpu-report.md says why`,
);
if (failed.length > 0) Deno.exit(1);
