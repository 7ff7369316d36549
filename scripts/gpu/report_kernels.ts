/**
 * Compiles every CUDA kernel for devices that need not be here, and prints what
 * the compiler says of each: registers, spills, shared memory, and how many
 * threads a multiprocessor then holds at once.
 *
 *     deno run -A scripts/gpu/report_kernels.ts [--architectures 80,90,100] [--all]
 *
 * NVRTC is taken from `GAPCAM_NVIDIA_FOLDER`, else from where
 * `scripts/gpu/fetch_libraries.sh` keeps it.
 *
 * @module
 */

import { GapcamError } from "../../src/error.ts";
import { type Flag, runCommand } from "../_command.ts";
import { UsageError } from "../_flags.ts";
import {
  type KernelUse,
  MULTIPROCESSORS,
  occupancy,
  parseKernelLog,
} from "./_occupancy.ts";

const FLAGS = {
  architectures: {
    type: "string",
    placeholder: "LIST",
    help: Object.keys(MULTIPROCESSORS).join(", "),
    default: Object.keys(MULTIPROCESSORS).join(","),
  },
  all: {
    type: "boolean",
    help: "print every kernel, not those alone that hold less than all " +
      "threads or spill",
  },
} as const satisfies Record<string, Flag>;

const NATIVE = new URL("../../native/", import.meta.url).pathname;

/** As kernels/layout.h has it. */
const BLOCK_THREADS = 256;

await runCommand({
  name: "report_kernels.ts",
  summary: "Registers, spills, shared memory and occupancy of every kernel.",
  flags: FLAGS,
}, async (flags) => {
  const named = (flags.architectures ?? FLAGS.architectures.default)
    .split(",").map((text) => text.trim());
  for (const one of named) {
    if (Object.hasOwn(MULTIPROCESSORS, one)) continue;
    throw new UsageError(
      `--architectures takes ${Object.keys(MULTIPROCESSORS).join(", ")}, ` +
        `not ${JSON.stringify(one)}`,
    );
  }
  const file = await findNvrtc();
  let spills = false;
  for (const architecture of named) {
    const kernels = compile(file, architecture);
    print(architecture, kernels, { all: flags.all === true });
    spills ||= kernels.some(({ spilled }) => spilled > 0);
  }
  return spills ? 1 : 0;
});

async function findNvrtc(): Promise<string> {
  const cache = Deno.env.get("GAPCAM_CACHE") ??
    `${
      Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`
    }/gapcam`;
  const folder = Deno.env.get("GAPCAM_NVIDIA_FOLDER") ??
    `${cache}/nvidia-libraries/nvidia`;
  for (const part of ["cu13/lib", "cuda_nvrtc/lib"]) {
    try {
      for await (const { name } of Deno.readDir(`${folder}/${part}`)) {
        if (/^libnvrtc\.so\.\d+$/.test(name)) {
          return `${folder}/${part}/${name}`;
        }
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new GapcamError(
    "device-unavailable",
    `Cannot compile kernels: found no libnvrtc in ${folder}, expected ` +
      "NVIDIA's libraries; run sh scripts/gpu/fetch_libraries.sh FOLDER and " +
      "set GAPCAM_NVIDIA_FOLDER to FOLDER/nvidia",
  );
}

/** Compiles all kernels as the backend does; what ptxas says of each. */
function compile(file: string, architecture: string): KernelUse[] {
  const nvrtc = Deno.dlopen(file, {
    nvrtcCreateProgram: {
      parameters: ["buffer", "buffer", "buffer", "i32", "pointer", "pointer"],
      result: "i32",
    },
    nvrtcCompileProgram: {
      parameters: ["pointer", "i32", "buffer"],
      result: "i32",
    },
    nvrtcGetProgramLogSize: {
      parameters: ["pointer", "buffer"],
      result: "i32",
    },
    nvrtcGetProgramLog: { parameters: ["pointer", "buffer"], result: "i32" },
  });
  const { symbols } = nvrtc;
  const program = new BigUint64Array(1), size = new BigUint64Array(1);
  symbols.nvrtcCreateProgram(
    program,
    text(Deno.readTextFileSync(`${NATIVE}cuda/kernels/kernels.cu`)),
    text("kernels.cu"),
    0,
    null,
    null,
  );
  const handle = Deno.UnsafePointer.create(program[0]!);
  const options = [
    `--gpu-architecture=sm_${architecture}`,
    "--std=c++17",
    "--fmad=false",
    "--ptxas-options=-v",
    `-I${NATIVE}cuda/kernels`,
    `-I${NATIVE}core`,
  ].map(text);
  const places = new BigUint64Array(
    options.map((one) =>
      Deno.UnsafePointer.value(Deno.UnsafePointer.of(one)) as bigint
    ),
  );
  const failed = symbols.nvrtcCompileProgram(handle, places.length, places);
  symbols.nvrtcGetProgramLogSize(handle, size);
  const log = new Uint8Array(Number(size[0]));
  symbols.nvrtcGetProgramLog(handle, log);
  const said = new TextDecoder().decode(log.subarray(0, -1));
  if (failed === 0) return parseKernelLog(said);
  throw new GapcamError(
    "internal",
    `Cannot compile the kernels for sm_${architecture}: ${said.slice(0, 600)}`,
  );
}

function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${value}\0`);
}

function print(
  architecture: string,
  kernels: readonly KernelUse[],
  { all }: { all: boolean },
): void {
  const at = MULTIPROCESSORS[architecture]!;
  const rows = kernels.map((kernel) => ({
    ...kernel,
    ...occupancy(kernel, at, BLOCK_THREADS),
  }));
  const full = rows.filter(({ share }) => share === 1).length;
  const spilling = rows.filter(({ spilled }) => spilled > 0).length;
  console.log(
    `sm_${architecture}: ${rows.length} kernels, ${full} at 100 % occupancy, ` +
      `least ${Math.round(100 * Math.min(...rows.map(({ share }) => share)))}` +
      ` %, most registers ${
        Math.max(...rows.map(({ registers }) => registers))
      }, ${spilling} spill\n`,
  );
  const shown = rows.filter((row) => all || row.share < 1 || row.spilled > 0);
  if (shown.length === 0) return;
  console.log(
    "| kernel | registers | spilled | stack | shared | occupancy | limit |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- |");
  for (const row of shown) {
    const { name, registers, spilled, stack, shared, share, limit } = row;
    console.log(
      `| ${name} | ${registers} | ${spilled} | ${stack} | ${shared} | ` +
        `${Math.round(100 * share)} % | ${limit} |`,
    );
  }
  console.log();
}
