/**
 * The steps of the kit.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { readFamilies } from "./_families.ts";
import {
  readBenchmark,
  readDoctor,
  readSanitizer,
  readTests,
} from "./_read_output.ts";
import { readTraining } from "./_read_training.ts";
import type { Step } from "./_steps.ts";

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

/** Seconds that each of the steps that run at the same time may take. */
const LIMIT = 150;

/**
 * All steps, in the order of the report. The first two say what there is, and
 * the last, which measures speed, must run alone.
 */
export function kitSteps(
  { small, python, root, benchmarkFile }: {
    small: boolean;
    python: string;
    root: string;
    benchmarkFile: string;
  },
): Step[] {
  const memcheck = sanitizer();
  return [
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
    {
      name: "operations",
      title: "Every operation against plain loops",
      limit: LIMIT,
      command: deno(
        "run",
        "scripts/gpu/kit/operations.ts",
        "--seconds",
        String(LIMIT - 10),
        ...(small ? ["--parts", "1", "--filter", "linear"] : ["--parts", "6"]),
      ),
      env: { GAPCAM_REQUIRE: "cuda" },
      read: (output) => readTests(output, "cuda: "),
    },
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
        small ? "60" : "200",
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
      read: readBenchmark,
    },
  ];
}
