/**
 * `deno task fuzz`: feeds every parser with damaged files.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { GapcamError } from "../src/error.ts";
import { runCommand } from "./_command.ts";
import type { FuzzReport } from "./fuzz/run_target.ts";
import { fuzzFolder, TARGETS } from "./fuzz/targets.ts";
import type { FuzzOrder } from "./fuzz/worker.ts";

/**
 * A worker that says nothing while it computes for so many seconds is in an
 * endless loop. On a machine that does much else they may take minutes.
 */
const SILENT_PROCESSOR_SECONDS = 20;

/** One that says nothing for so many seconds waits for what never comes. */
const SILENT_SECONDS = 600;

await runCommand({
  name: "fuzz",
  summary: "Feed every parser with damaged files: only one-sentence errors " +
    "may come of it, within a second and a gigabyte each.",
  flags: {
    target: {
      type: "string",
      help: "what to test",
      choices: ["all", ...TARGETS.map(({ name }) => name)],
    },
    count: {
      type: "integer",
      min: 1,
      help: "inputs for each target (default 10000)",
    },
    seconds: {
      type: "number",
      above: 0,
      help: "time in all, shared among the targets (default 60)",
    },
    seed: { type: "integer", min: 0, help: "which inputs (default 1)" },
    first: { type: "integer", min: 0, help: "number of the first input" },
  },
}, async (flags) => {
  const chosen = flags.target === undefined || flags.target === "all"
    ? TARGETS
    : TARGETS.filter(({ name }) => name === flags.target);
  const seed = flags.seed ?? 1;
  let failures = 0;
  let secondsLeft = flags.seconds ?? 60;
  for (const [i, { name }] of chosen.entries()) {
    const report = await runInWorker({
      target: name,
      seed,
      first: flags.first ?? 0,
      count: flags.count ?? 10_000,
      // What quick targets leave goes to the others.
      seconds: secondsLeft / (chosen.length - i),
    });
    secondsLeft = Math.max(1, secondsLeft - report.seconds);
    console.log(formatReport(name, report));
    if (report.failure) {
      failures++;
      const path = `fuzz_${name}_${seed}_${report.failure.index}.bin`;
      await Deno.writeFile(path, report.failure.bytes);
      console.log(
        `  input ${report.failure.index}, kept in ${path}: ` +
          `${report.failure.reason}\n  again: deno task fuzz --target ${name} ` +
          `--seed ${seed} --first ${report.failure.index} --count 1`,
      );
    }
  }
  await Deno.remove(fuzzFolder(), { recursive: true }).catch(() => {});
  return failures > 0 ? 1 : 0;
});

/** One target's report; an endless loop is an error. */
async function runInWorker(order: FuzzOrder): Promise<FuzzReport> {
  const worker = new Worker(new URL("./fuzz/worker.ts", import.meta.url), {
    type: "module",
  });
  let index = order.first ?? 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  try {
    return await new Promise<FuzzReport>((resolve, reject) => {
      let heard = { at: performance.now(), processor: processorSeconds() };
      timer = setInterval(() => {
        const computed = processorSeconds() - heard.processor;
        const passed = (performance.now() - heard.at) / 1000;
        const found = computed > SILENT_PROCESSOR_SECONDS
          ? `computes for over ${SILENT_PROCESSOR_SECONDS} seconds`
          : passed > SILENT_SECONDS
          ? `waits for over ${SILENT_SECONDS} seconds`
          : undefined;
        if (found === undefined) return;
        reject(
          new GapcamError(
            "internal",
            `Cannot end ${order.target}: an input from ${index} on, with ` +
              `seed ${order.seed}, ${found}`,
          ),
        );
      }, 500);
      worker.onmessage = (
        { data }: MessageEvent<{ index?: number; report?: FuzzReport }>,
      ) => {
        heard = { at: performance.now(), processor: processorSeconds() };
        if (data.report) resolve(data.report);
        else index = data.index ?? index;
      };
      worker.onerror = (event) => {
        event.preventDefault();
        reject(event.error ?? new Error(event.message));
      };
      worker.postMessage(order);
    });
  } finally {
    clearInterval(timer);
    worker.terminate();
  }
}

/** Processor time of this process, workers and all. */
function processorSeconds(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}

function formatReport(name: string, report: FuzzReport): string {
  const share = (100 * report.accepted / report.inputs).toFixed(0);
  return `${report.failure ? "FAILED" : "ok"} ${name}: ${report.inputs} ` +
    `inputs in ${report.seconds.toFixed(1)} s, ${share}% accepted, slowest ` +
    `${report.slowestMilliseconds.toFixed(0)} ms, at most ` +
    `${(report.greatestGrowthBytes / 2 ** 20).toFixed(0)} MiB more`;
}
