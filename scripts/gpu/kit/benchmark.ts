/**
 * Times VGG16, ResNet-50 and EfficientNet-Lite0 beside PyTorch, eager and
 * compiled, in one run: each round every competitor takes its turn. Comparisons
 * go from the most to the least wanted, and `--seconds` ends them, whatever is
 * being timed then; the file is written after each.
 *
 *   deno run -A scripts/gpu/kit/benchmark.ts FILE --seconds 200 [--python FILE] [--small]
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "@std/cli/parse-args";
import { type ProgramStep } from "../../../src/device/program_options.ts";
import { Worker } from "../../bench/_protocol.ts";
import {
  type BenchmarkResult,
  type Comparison,
  trainingFlops,
} from "./_benchmark.ts";
import { type Competitor, takeTurns } from "./_turns.ts";
import {
  isTooLong,
  missing,
  nameOf,
  settingOf,
  type TimedMeasure,
  VGG,
  type Wanted,
} from "./_wanted.ts";

const flags = parseArgs(Deno.args, {
  boolean: ["small"],
  string: ["python", "seconds"],
});
const file = String(flags._[0]);
const start = performance.now();
/** What one timing should take at least. */
const SECONDS_A_TIMING = flags.small ? 0 : 0.5;
const setting = settingOf({ small: flags.small === true });
const { wanted } = setting;

/** As the workers take it. */
function built(model: string): Record<string, unknown> {
  return model === VGG ? { model: setting.trunk } : { model, classes: 1000 };
}
/** PyTorch's device; the small run is for machines without a GPU. */
const torchDevice = flags.small ? "cpu" : "cuda";

const result: BenchmarkResult = {
  size: setting.size,
  flopsPerImage: trainingFlops(setting.trunk, setting.size),
  torch: undefined,
  comparisons: [],
  operations: {},
  notes: [],
};
let failed = false;

/** Seconds that are left. */
function left(): number {
  return Number(flags.seconds ?? 200) - (performance.now() - start) / 1000;
}

function note(text: string): void {
  console.log(text);
  result.notes.push(text);
}

function write(): void {
  Deno.writeTextFileSync(`${file}.tmp`, JSON.stringify(result, undefined, 1));
  Deno.renameSync(`${file}.tmp`, file);
}

function script(name: string): string {
  return fileURLToPath(new URL(`../../bench/${name}`, import.meta.url));
}

async function measureMatrixRate(torch: Worker): Promise<void> {
  const { flopsPerSecond } = await torch.attempt({
    measure: "matmul",
    size: setting.matrix,
    steps: flags.small ? 2 : 50,
  });
  if (typeof flopsPerSecond !== "number") return;
  result.bf16FlopsPerSecond = Math.max(
    result.bf16FlopsPerSecond ?? 0,
    flopsPerSecond,
  );
}

/** All measures of one precision and batch; what was timed stays if one fails. */
async function runComparison(
  { measures, ...one }: Wanted,
  options: {
    comparison: Comparison;
    ours: Worker;
    torch: Worker | undefined;
    share: number;
  },
): Promise<void> {
  const { model, precision, batch } = one;
  const { comparison, ours, torch, share } = options;
  const build = {
    ...built(model),
    size: setting.size,
    batch,
    threads: navigator.hardwareConcurrency,
    precision,
  };
  await ours.ask({ ...build, device: "cuda" });
  await torch?.ask({ ...build, device: torchDevice });
  const torchOptions = {
    channelsLast: true,
    bf16: precision === "bf16",
    tf32: precision === "tf32",
  };
  for (const [measure, compileShare] of Object.entries(measures)) {
    const competitors: Competitor[] = [
      { name: "gapcam", worker: ours, options: {} },
    ];
    for (const compile of torch ? [false, true] : []) {
      if (compile && share < compileShare) {
        if (Number.isFinite(compileShare)) {
          note(
            `torch.compile was left out of ${measure}, ${nameOf(one)}: no ` +
              "time for it",
          );
        }
        continue;
      }
      competitors.push({
        name: compile ? "compile" : "eager",
        worker: torch!,
        options: { ...torchOptions, compile },
      });
    }
    await takeTurns(measure, competitors, {
      rates: comparison.rates[measure as TimedMeasure] = {},
      seconds: SECONDS_A_TIMING,
    });
    write();
  }
}

/** Our training step by operation. */
async function profile(
  ours: Worker,
  model: string,
  batch: number,
): Promise<void> {
  await ours.ask({
    ...built(model),
    size: setting.size,
    batch,
    threads: navigator.hardwareConcurrency,
    device: "cuda",
    precision: "bf16",
    profile: true,
  });
  await ours.ask({ measure: "train", steps: 3 });
  const { steps } = await ours.ask({ measure: "operations" }) as unknown as {
    steps: ProgramStep[];
  };
  result.operations[model] = steps.map(
    ({ name, operation, algorithm, milliseconds, runs, flops, bytes }) => ({
      ...{ name, operation, algorithm, flops, bytes },
      milliseconds: runs > 0 ? milliseconds / runs : 0,
    }),
  );
}

function startOurs(): Promise<Worker> {
  return Worker.start(Deno.execPath(), [
    "run",
    "-A",
    "--quiet",
    "--no-check",
    "--cached-only",
    script("gapcam.ts"),
  ], {});
}

async function startTorch(): Promise<Worker | undefined> {
  if (!flags.python) {
    note("no Python with torch was found: nothing to compare with");
    failed ||= !flags.small;
    return undefined;
  }
  const worker = await Worker.start(flags.python, [script("pytorch.py")], {});
  result.torch = worker.greeting;
  return worker;
}

/** The row of the report, which a measure may be added to later. */
function comparisonOf({ measures: _, ...one }: Wanted): Comparison {
  const found = result.comparisons.find((other) =>
    nameOf(other) === nameOf(one)
  );
  if (found) return found;
  const comparison: Comparison = { ...one, rates: {} };
  result.comparisons.push(comparison);
  return comparison;
}

/** Writes all and ends, with what still runs. */
function end(): never {
  const lacking = missing(wanted, result);
  if (lacking.length > 0) console.log(`failed: no rates of ${lacking}`);
  write();
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    const children = Deno.readTextFileSync(`/proc/self/task/${name}/children`);
    // One in the middle of compiling would not see that nobody asks any more.
    for (const id of children.trim().split(" ").filter(Boolean)) {
      try {
        Deno.kill(Number(id), "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }
  Deno.exit(failed || lacking.length > 0 ? 1 : 0);
}

let current = "the start of the workers";
setTimeout(() => {
  note(`${current} was cut short: the time was over`);
  end();
}, Math.max(0, 1000 * left()));
let ours = await startOurs();
let torch = await startTorch();
const profiled = new Set<string>();
/** By batch the seconds of the last comparison with it. */
const took = new Map<number, number>();
write();
for (const [index, one] of wanted.entries()) {
  const share = left() / (wanted.length - index);
  const { model, batch, measures } = one;
  current = `${nameOf(one)} (${Object.keys(measures).join(", ")})`;
  if (!flags.small && isTooLong(batch, left(), took)) {
    note(`${current} was left out: no time for it`);
    continue;
  }
  console.log(`${current}: ${left().toFixed(0)} s are left`);
  const comparison = comparisonOf(one);
  const before = left();
  try {
    await runComparison(one, { comparison, ours, torch, share });
    if (torch) await measureMatrixRate(torch);
    if (!profiled.has(model)) await profile(ours, model, batch);
    profiled.add(model);
  } catch (error) {
    note(`${current} ended early: ${String(error)}`);
    failed = true;
    // A worker that ended takes no more questions.
    await ours[Symbol.asyncDispose]();
    await torch?.[Symbol.asyncDispose]();
    ours = await startOurs();
    torch = await startTorch();
  }
  took.set(batch, before - left());
  failed ||= Object.values(comparison.rates)
    .some((rates) => Object.values(rates).some(({ error }) => error));
  write();
}
await ours[Symbol.asyncDispose]();
await torch?.[Symbol.asyncDispose]();
end();
