/**
 * Who is timed: a worker process each, and what to ask it for.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { GapcamError } from "../../src/error.ts";
import { describeBackend } from "../../src/device/mod.ts";
import type { BuildRequest } from "./gapcam.ts";
import { Worker } from "./_protocol.ts";

/** What `--against` takes. */
export const PEERS = [
  "torch",
  "torch-compile",
  "onnxruntime",
  "openvino",
  "tfjs",
] as const;

/** One of {@linkcode PEERS}. */
export type Peer = typeof PEERS[number];

/** One way to run the network. */
export interface Competitor {
  name: string;
  worker: Worker;
  options: Record<string, unknown>;
  /** What it can do. Default: everything. */
  measures?: readonly string[];
}

/** What a request builds, and where. */
export interface Build extends BuildRequest {
  device: "cpu" | "cuda";
}

/**
 * Starts a peer's workers and builds the network in them. What cannot build it
 * is said on standard error, and left out.
 *
 * @param options `export`: writes the network as ONNX and gives the file.
 * @throws {GapcamError} If the peer is not installed.
 */
export async function startPeer(
  peer: Peer,
  build: Build,
  options: {
    python: string;
    stack: AsyncDisposableStack;
    export: () => Promise<string>;
  },
): Promise<Competitor[]> {
  const { python, stack } = options;
  const use = async (started: Promise<Worker>) => stack.use(await started);
  const runtime = peer === "onnxruntime" || peer === "openvino";
  if (build.device === "cuda" && (runtime || peer === "tfjs")) {
    console.error(`${peer}: skipped, it is timed on the CPU alone`);
    return [];
  }
  const workers = peer === "torch-compile"
    // A worker a memory format: what changes formats compiles anew.
    ? [
      await use(startTorch(python, build.threads)),
      await use(startTorch(python, build.threads)),
    ]
    : [
      await use(
        peer === "torch"
          ? startTorch(python, build.threads)
          : peer === "tfjs"
          ? startTfjs()
          : startRuntime(peer, { python, threads: build.threads }),
      ),
    ];
  const request = runtime ? { ...build, onnx: await options.export() } : build;
  for (const worker of workers) {
    const { error } = await worker.attempt({ ...request });
    if (error === undefined) continue;
    console.error(`${peer}: skipped, ${error}`);
    return [];
  }
  const only = { measures: ["infer"] };
  switch (peer) {
    case "torch":
      return eagerTorch(workers[0]!, build);
    case "torch-compile":
      return workers.map((worker, i) => ({
        name: `torch compiled${i === 0 ? "" : " channels-last"}`,
        worker,
        options: { channelsLast: i === 1, bf16: false, compile: true },
        measures: ["train", "infer"],
      }));
    case "tfjs":
      return [{ name: peer, worker: workers[0]!, options: {} }];
    default:
      return [{ name: peer, worker: workers[0]!, options: {}, ...only }];
  }
}

/** PyTorch in both memory formats, and in bf16 where the device has it. */
function eagerTorch(worker: Worker, build: Build): Competitor[] {
  // Without the instructions PyTorch emulates bf16, 20 times slower than f32.
  const hasBf16 = build.device !== "cpu" || describeBackend("cpu").bf16;
  if (!hasBf16) {
    console.error("torch bf16: skipped, this processor has no bf16");
  }
  return [false, true].flatMap((channelsLast) =>
    (hasBf16 ? [false, true] : [false]).map((bf16) => ({
      name: `torch ${bf16 ? "bf16" : "f32"}${
        channelsLast ? " channels-last" : ""
      }`,
      worker,
      options: { channelsLast, bf16 },
    }))
  );
}

/** Starts gapcam's worker. */
export function startGapcam(threads: number): Promise<Worker> {
  return Worker.start(Deno.execPath(), [
    "run",
    "-A",
    "--quiet",
    script("gapcam.ts"),
  ], { OMP_NUM_THREADS: String(threads) });
}

function startTfjs(): Promise<Worker> {
  return Worker.start(Deno.execPath(), [
    "run",
    "-A",
    "--quiet",
    `--lock=${script("tfjs.lock")}`,
    script("tfjs.ts"),
  ], {});
}

/** Starts PyTorch's worker. */
export function startTorch(python: string, threads: number): Promise<Worker> {
  return startPython(python, ["pytorch.py"], {
    threads,
    title: "PyTorch",
    module: "torch",
  });
}

function startRuntime(
  peer: "onnxruntime" | "openvino",
  { python, threads }: { python: string; threads: number },
): Promise<Worker> {
  return startPython(python, ["onnx.py", peer], {
    threads,
    title: peer === "openvino" ? "OpenVINO" : "ONNX Runtime",
    module: peer,
  });
}

async function startPython(
  python: string,
  [file, ...rest]: [string, ...string[]],
  options: { threads: number; title: string; module: string },
): Promise<Worker> {
  const { threads, title, module } = options;
  try {
    return await Worker.start(python, [script(file), ...rest], {
      OMP_NUM_THREADS: String(threads),
    });
  } catch (error) {
    throw new GapcamError(
      "not-found",
      `Cannot time ${title}: ${python} did not start or has no ${module}; name a ` +
        "Python that has it with --python",
      { cause: error },
    );
  }
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
