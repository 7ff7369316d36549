/**
 * Times VGG16, ResNet-50 and EfficientNet-Lite0 beside PyTorch, eager and
 * compiled, in one run: each round every competitor takes its turn. Comparisons go from the most to the
 * least wanted, and `--seconds` ends them; the file is written after each.
 *
 *   deno run -A scripts/gpu/kit/benchmark.ts FILE --seconds 200 [--python FILE] [--small]
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "@std/cli/parse-args";
import { VGG_CONFIGURATIONS } from "../../../mod.ts";
import { type ProgramStep } from "../../../src/device/program_options.ts";
import { Worker } from "../../bench/_protocol.ts";
import {
  type BenchmarkResult,
  type Comparison,
  type Precision,
  type Rates,
  trainingFlops,
} from "./_benchmark.ts";

const flags = parseArgs(Deno.args, {
  boolean: ["small"],
  string: ["python", "seconds"],
});
const file = String(flags._[0]);
const start = performance.now();
const ROUNDS = 3;
/** What one timing should take at least. */
const SECONDS_A_TIMING = flags.small ? 0 : 0.5;

const VGG = "vgg16", RESNET = "resnet50", LITE = "efficientnet_lite0";

/** What is timed: the most wanted first. */
interface Wanted {
  model: string;
  precision: Precision;
  batch: number;
}
const WANTED: readonly Wanted[] = [
  { model: VGG, precision: "bf16", batch: 256 },
  { model: RESNET, precision: "bf16", batch: 256 },
  { model: LITE, precision: "bf16", batch: 256 },
  { model: VGG, precision: "tf32", batch: 256 },
  { model: VGG, precision: "bf16", batch: 64 },
  { model: VGG, precision: "f32", batch: 64 },
];
const setting = flags.small
  ? {
    trunk: [4, "M", 8, "M"] as const,
    size: 16,
    wanted: (["bf16", "tf32", "f32"] as const).map((precision) => ({
      ...{ model: VGG, precision, batch: 4 },
    })),
    matrix: 128,
  }
  : {
    trunk: VGG_CONFIGURATIONS.vgg16,
    size: 224,
    wanted: WANTED,
    matrix: 8192,
  };

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

/** One timing; images per second, or why there are none. */
async function time(
  worker: Worker,
  request: Record<string, unknown>,
): Promise<{ rate: number; seconds: number } | { error: string }> {
  const answer = await worker.attempt(request);
  const seconds = Number(answer.seconds);
  return answer.error === undefined
    ? { rate: Number(answer.images) / seconds, seconds }
    : { error: String(answer.error) };
}

interface Competitor {
  name: string;
  worker: Worker;
  options: Record<string, unknown>;
}

/** Warms all up, then lets them take turns. */
async function compare(
  measure: string,
  competitors: readonly Competitor[],
): Promise<Record<string, Rates>> {
  const rates: Record<string, Rates> = {};
  let steps = 1;
  for (const { name, worker, options } of competitors) {
    rates[name] = { imagesPerSecond: [] };
    for (const count of [2, 2]) {
      const warm = await time(worker, { measure, steps: count, ...options });
      if ("error" in warm) {
        rates[name].error = warm.error;
        break;
      }
      if (name === "gapcam") {
        steps = Math.max(1, Math.ceil(SECONDS_A_TIMING * 2 / warm.seconds));
      }
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < competitors.length; i++) {
      const { name, worker, options } =
        competitors[(i + round) % competitors.length]!;
      if (rates[name]!.error) continue;
      const one = await time(worker, { measure, steps, ...options });
      if ("error" in one) rates[name] = { imagesPerSecond: [], ...one };
      else rates[name]!.imagesPerSecond.push(one.rate);
    }
  }
  return rates;
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
  comparison: Comparison,
  options: { ours: Worker; torch: Worker | undefined; share: number },
): Promise<void> {
  const { model, precision, batch, rates } = comparison;
  const { ours, torch, share } = options;
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
  // Compiling takes tens of seconds, and is left out where they are not there.
  const compiles = {
    train: !flags.small && (precision === "bf16" || share > 30),
    cam: !flags.small && share > 45,
  };
  const measures = model === VGG
    ? ["train", "cam"] as const
    : ["train"] as const;
  for (const measure of measures) {
    const competitors: Competitor[] = [
      { name: "gapcam", worker: ours, options: {} },
    ];
    if (torch) {
      competitors.push({
        name: "eager",
        worker: torch,
        options: { ...torchOptions, compile: false },
      });
      if (compiles[measure]) {
        competitors.push({
          name: "compile",
          worker: torch,
          options: { ...torchOptions, compile: true },
        });
      } else {
        note(
          `torch.compile was left out of ${measure}, ${model}, ${precision}, batch ` +
            `${batch}: ${flags.small ? "a small run" : "no time for it"}`,
        );
      }
    }
    rates[measure] = await compare(measure, competitors);
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

// What is being timed when the time is over is left, and what was timed stays.
setTimeout(() => {
  note("the time was over, and what follows was left out");
  write();
  Deno.exit(failed || result.comparisons.length < 3 ? 1 : 0);
}, Math.max(0, 1000 * left()));
let ours = await startOurs();
let torch = await startTorch();
const { wanted } = setting;
const profiled = new Set<string>();
write();
for (const [index, { model, precision, batch }] of wanted.entries()) {
  const share = left() / (wanted.length - index);
  if (left() < (flags.small ? 0 : 30)) {
    note(`${model}, ${precision}, batch ${batch} was left out: no time for it`);
    failed ||= precision === "bf16" && batch === wanted[0]!.batch;
    continue;
  }
  console.log(
    `${model}, ${precision}, batch ${batch}: ${left().toFixed(0)} s are left`,
  );
  const comparison: Comparison = { model, precision, batch, rates: {} };
  result.comparisons.push(comparison);
  try {
    await runComparison(comparison, { ours, torch, share });
    if (torch) await measureMatrixRate(torch);
    if (!profiled.has(model)) await profile(ours, model, batch);
    profiled.add(model);
  } catch (error) {
    note(
      `${model}, ${precision}, batch ${batch} ended early: ${String(error)}`,
    );
    failed = true;
    // A worker that ended takes no more questions.
    await ours[Symbol.asyncDispose]();
    await torch?.[Symbol.asyncDispose]();
    ours = await startOurs();
    torch = await startTorch();
  }
  failed ||= Object.values(comparison.rates)
    .some((rates) => Object.values(rates).some(({ error }) => error));
  write();
}
await ours[Symbol.asyncDispose]();
await torch?.[Symbol.asyncDispose]();
Deno.exit(failed ? 1 : 0);
