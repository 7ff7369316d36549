/**
 * What kit.sh runs: every step under its own limit, all within the kit's time,
 * and a report that is written anew after each step, so that a run that is cut
 * short has one too.
 *
 *   deno run -A scripts/gpu/kit/main.ts OUT
 *
 * @module
 */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { VGG_CONFIGURATIONS } from "../../../mod.ts";
import type { BenchmarkResult } from "./_benchmark.ts";
import type { Check } from "./_curves.ts";
import {
  cell,
  lastJson,
  readDoctor,
  type Reading,
  readSanitizer,
  readTests,
} from "./_read_output.ts";
import { readFamilies } from "./_families.ts";
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

function deno(...args: string[]): string[] {
  const [verb, ...rest] = args;
  return [Deno.execPath(), verb!, "--no-check", "--cached-only", "-A", ...rest];
}

/** A name that a shell would find, or a file that is there. */
function find(name: string, folders: readonly string[]): string | undefined {
  const path = (Deno.env.get("PATH") ?? "").split(":");
  return [...path, ...folders].map((folder) => `${folder}/${name}`)
    .find((file) => existsSync(file));
}

function sanitizer(): string | undefined {
  const roots = ["/usr/local/cuda", Deno.env.get("CUDA_HOME") ?? ""];
  for (
    const { name } of existsSync("/usr/local")
      ? Deno.readDirSync("/usr/local")
      : []
  ) {
    if (name.startsWith("cuda-")) roots.push(`/usr/local/${name}`);
  }
  return find(
    "compute-sanitizer",
    roots.flatMap((root) => [`${root}/bin`, `${root}/compute-sanitizer`]),
  );
}

const MACHINE = `
echo "- system: $(. /etc/os-release 2>/dev/null; echo "\${PRETTY_NAME:-unknown}"), $(uname -sr)"
echo "- processor: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(getconf _NPROCESSORS_ONLN) processors"
if command -v nvidia-smi >/dev/null 2>&1; then
  nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm \\
    --format=csv,noheader | sed 's/^/- GPU: /'
else
  echo "- GPU: no nvidia-smi"
fi
echo "- Deno: $("$KIT_DENO" --version | head -1)"
echo "- nvcc: $(nvcc --version 2>/dev/null | sed -n 's/.*release/release/p' | grep . || echo none)"
if [ -n "$KIT_PYTHON" ]; then
  "$KIT_PYTHON" -c '
import platform, torch
print("- Python: %s, torch %s, CUDA %s, cuDNN %s" % (platform.python_version(), torch.__version__,
    torch.version.cuda, torch.backends.cudnn.version()))'
else
  echo "- Python: none with torch"
fi
`;

function readTraining(output: string): Reading {
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

const memcheck = sanitizer();
/** Seconds that each of the steps that run at the same time may take. */
const LIMIT = 150;
const steps: Step[] = [
  {
    name: "machine",
    title: "The machine",
    limit: small ? 120 : 40,
    command: ["sh", "-c", MACHINE],
    env: { KIT_DENO: Deno.execPath(), KIT_PYTHON: python },
    read: (output) => ({ markdown: output.trim() }),
  },
  {
    name: "doctor",
    title: "What gapcam finds",
    limit: 40,
    command: deno("run", "scripts/doctor.ts", "--json"),
    read: readDoctor,
  },
  ...["conv2d", "linear", ""].map((operation): Step => ({
    name: operation || "operations",
    title: `${
      operation ? `Operations with ${operation}` : "Every other operation"
    } against plain loops`,
    limit: LIMIT,
    // cuDNN compiles plans for seconds on one core for every odd shape.
    command: operation === "linear" || !small
      ? deno(
        "test",
        "--filter",
        operation ? `/${operation}/` : "/^(?!.*(conv2d|linear))/",
        "tests/device/operations_test.ts",
      )
      : { skip: "a small run" },
    env: { GAPCAM_REQUIRE: "cuda" },
    read: (output) => readTests(output, "cuda: "),
  })),
  {
    name: "nccl",
    title: "NCCL with one rank",
    limit: LIMIT,
    command: deno("test", "tests/ranks/one_gpu_test.ts"),
    env: { GAPCAM_REQUIRE: "cuda" },
    read: readTests,
  },
  {
    name: "parity",
    title: "PyTorch's numbers",
    limit: LIMIT,
    // The seed's network would take a stand-in for a GPU minutes.
    command: deno(
      "test",
      ...(small
        ? ["--filter", "/: adam$/"]
        : ["tests/nn/seed_network_test.ts"]),
      "tests/nn/training_parity_test.ts",
    ),
    env: {
      GAPCAM_TEST_DEVICE: "cuda",
      ...(python ? { GAPCAM_PYTHON: python } : {}),
      PYTHONPATH: `${Deno.env.get("PYTHONPATH") ?? ""}:` +
        `${root}scripts/gpu/kit/python`,
    },
    read: readTests,
  },
  {
    name: "training",
    title: "Training in three precisions",
    limit: LIMIT,
    command: deno(
      "run",
      "scripts/gpu/kit/training.ts",
      "--steps",
      small ? "60" : "300",
      ...(small ? ["--small"] : []),
    ),
    read: readTraining,
  },
  {
    name: "families",
    title: "Every family of networks beside the CPU",
    limit: LIMIT,
    command: deno(
      "run",
      "scripts/gpu/kit/families.ts",
      ...(small
        ? ["--small", "--seconds", "120"]
        : ["--seconds", String(LIMIT - 10)]),
    ),
    read: readFamilies,
  },
  {
    name: "memcheck",
    title: "compute-sanitizer",
    limit: LIMIT,
    command: memcheck
      ? [
        memcheck,
        "--tool",
        "memcheck",
        "--target-processes",
        "all",
        "--error-exitcode",
        "99",
        ...deno(
          "run",
          "scripts/gpu/kit/training.ts",
          "--small",
          "--unchecked",
          "--steps",
          "3",
          "--precisions",
          "f32,bf16",
        ),
      ]
      : { skip: "compute-sanitizer was not found" },
    read: readSanitizer,
  },
  {
    name: "benchmark",
    title: "Speed beside PyTorch",
    limit: 500,
    command: deno(
      "run",
      "scripts/gpu/kit/benchmark.ts",
      benchmarkFile,
      ...(python ? ["--python", python] : []),
      ...(small ? ["--small"] : []),
      "--seconds",
    ),
  },
];

/**
 * Has torch.compile fill its cache for the benchmark's networks while other
 * steps run: nothing but speed must be measured alone.
 */
function startCompiling(): Deno.ChildProcess | undefined {
  if (small || python === "") return undefined;
  const requests = ["vgg16", "resnet50", "efficientnet_lite0"].flatMap((
    model,
  ) => [
    {
      model: model === "vgg16" ? VGG_CONFIGURATIONS.vgg16 : model,
      ...{ classes: model === "vgg16" ? 10 : 1000, size: 224, batch: 256 },
      ...{ threads: 4, device: "cuda" },
    },
    {
      measure: "train",
      ...{ steps: 1, channelsLast: true, bf16: true, compile: true },
    },
  ]);
  const child = new Deno.Command(python, {
    args: ["scripts/bench/pytorch.py"],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const lines = requests.map((one) => `${JSON.stringify(one)}\n`).join("");
  // It may have ended already, without what it needs.
  new Response(lines).body!.pipeTo(child.stdin).catch(() => undefined);
  return child;
}

async function endCompiling(): Promise<void> {
  try {
    compiling?.kill("SIGKILL");
  } catch {
    // It has ended.
  }
  await compiling?.status;
}

let compiling: Deno.ChildProcess | undefined;
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
  // It ends by itself, in good order, before its limit does.
  const command = !gpu
    ? { skip: "there is no GPU to use" }
    : step.name === "benchmark" && !("skip" in step.command)
    ? [...step.command, String(Math.floor(left() - 20))]
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
if (gpu) compiling = startCompiling();
// What measures no speed runs at the same time, as far as a processor allows.
const waiting = others.filter(({ name }) => name !== "benchmark");
const atOnce = Math.max(1, Math.floor(navigator.hardwareConcurrency / 2));
await Promise.all(Array.from({ length: atOnce }, async () => {
  for (let step = waiting.shift(); step; step = waiting.shift()) {
    await run(step);
  }
}));
await endCompiling();
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
