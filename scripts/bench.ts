/**
 * `deno task bench`: how fast the network trains, infers and explains here,
 * beside PyTorch and TensorFlow.js in the same run.
 *
 * On a noisy machine seconds mean little, ratios taken side by side much: each
 * round times every competitor once, one after the other, and the ratio of a
 * round is ours over theirs in that round. Medians over rounds are printed.
 *
 * @module
 */

import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { GapcamError } from "../src/error.ts";
import {
  type Backend,
  describeBackend,
  openDevice,
  type ProgramStep,
} from "../src/device/mod.ts";
import { parseModel } from "../src/models/model_config.ts";
import { runCommand } from "./_command.ts";
import {
  DEVICE_FLAGS,
  type DeviceChoice,
  deviceChoice,
} from "./_device_flags.ts";
import { Worker } from "./bench/_protocol.ts";
import { printReport, type Rates } from "./bench/_report.ts";

const MEASURES = ["train", "infer", "cam"] as const;

/** One way to run the network: a worker process and what to ask it for. */
interface Competitor {
  name: string;
  worker: Worker;
  options: Record<string, unknown>;
  /** What it can do. Default: everything. */
  measures?: readonly string[];
}

await runCommand({
  name: "bench",
  summary: "Times training, inference and class activation maps, beside " +
    "PyTorch and TensorFlow.js in the same run.",
  flags: {
    "image-size": {
      type: "integer",
      min: 32,
      max: 8192,
      help: "height and width",
      default: "224",
      formerly: ["size"],
    },
    "batch-size": {
      type: "integer",
      min: 1,
      max: 65536,
      help: "images a step",
      default: "8",
      formerly: ["batch"],
    },
    model: {
      type: "string",
      help: "trunk, such as vgg11 or a list as 32,32,M,64",
      default: "vgg16",
    },
    measure: {
      type: "string",
      help: "what to time, separated by commas",
      default: "train,infer,cam",
      placeholder: "LIST",
    },
    against: {
      type: "string",
      help: "torch, tfjs or none, separated by commas",
      default: "none",
      placeholder: "LIST",
    },
    python: {
      type: "string",
      help: "a Python that has torch",
      default: "python3",
      placeholder: "FILE",
    },
    rounds: {
      type: "integer",
      min: 1,
      help: "how often each is timed",
      default: "5",
    },
    steps: { type: "integer", min: 1, help: "steps a timing", default: "1" },
    ...DEVICE_FLAGS,
    scaling: { type: "boolean", help: "also train on one thread and on all" },
    memory: { type: "boolean", help: "also compare peak resident memory" },
    json: { type: "boolean", help: "print everything as JSON" },
  },
}, async (flags) => {
  const build = {
    model: parseModel(flags.model ?? "vgg16"),
    size: flags["image-size"] ?? 224,
    batch: flags["batch-size"] ?? 8,
    threads: flags.threads ?? navigator.hardwareConcurrency,
    device: backendOf(deviceChoice(flags)),
    deviceIndex: flags["device-index"] ?? 0,
    precision: flags.precision ?? "f32",
  };
  const measures = list(flags.measure ?? "train,infer,cam", MEASURES);
  const against = list(flags.against ?? "none", ["torch", "tfjs", "none"]);
  if (against.length > 1 && against.includes("none")) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot run the benchmark against ${flags.against}: none stands alone`,
    );
  }
  if (flags.scaling && build.threads === 1) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot compare one thread with all: there is one; leave out --scaling, " +
        "or ask for more with --threads",
    );
  }
  const python = flags.python ?? "python3";
  const rounds = flags.rounds ?? 5;
  const steps = flags.steps ?? 1;

  await using stack = new AsyncDisposableStack();
  const ours = stack.use(await startGapcam(build.threads));
  const competitors: Competitor[] = [{
    name: "gapcam",
    worker: ours,
    options: {},
  }, {
    name: "gapcam, from a loader",
    worker: ours,
    options: { fed: true },
    measures: ["train"],
  }];
  if (against.includes("torch")) {
    const worker = stack.use(await startTorch(python, build.threads));
    // Without the instructions PyTorch emulates bf16, 20 times slower than f32.
    const hasBf16 = build.device !== "cpu" || describeBackend("cpu").bf16;
    if (!hasBf16) {
      console.error("torch bf16: skipped, this processor has no bf16");
    }
    for (const channelsLast of [false, true]) {
      for (const bf16 of hasBf16 ? [false, true] : [false]) {
        competitors.push({
          name: `torch ${bf16 ? "bf16" : "f32"}${
            channelsLast ? " channels-last" : ""
          }`,
          worker,
          options: { channelsLast, bf16 },
        });
      }
    }
  }
  if (against.includes("tfjs")) {
    const worker = stack.use(await startTfjs());
    competitors.push({ name: "tfjs", worker, options: {} });
  }
  const before = await machinePeak(build.threads);
  const workers = new Set(competitors.map(({ worker }) => worker));
  for (const worker of workers) await worker.ask(build);

  const results: Record<string, Record<string, Rates[string]>> = {};
  let operations: { steps: ProgramStep[] } | undefined;
  for (const measure of measures) {
    const able = competitors.filter(({ measures }) =>
      measures?.includes(measure) ?? true
    );
    const rates = await timeRounds(able, { measure, rounds, steps });
    results[measure] = rates;
    if (measure === "train") {
      operations = await ours.ask({ measure: "operations" }) as unknown as {
        steps: ProgramStep[];
      };
    }
  }
  const scaling = flags.scaling
    ? await timeScaling(build, { rounds, steps })
    : undefined;
  const memory = flags.memory
    ? await peakMemory(build, against.includes("torch") ? python : undefined)
    : undefined;
  const machine = {
    processor: cpus()[0]?.model ?? "unknown",
    threads: build.threads,
    ...highest(before, await machinePeak(build.threads)),
  };
  const versions = Object.fromEntries([
    ["deno", Deno.version.deno],
    ["gapcam", describeBackend(build.device).version],
    ...competitors.filter(({ worker }) => worker !== ours).map((
      { name, worker },
    ) => [name.split(" ")[0], worker.greeting.version]),
  ]);
  const report = {
    build: { ...build, model: flags.model ?? "vgg16" },
    machine,
    versions,
    rounds,
    steps,
    imagesPerSecond: results,
    scaling,
    memory,
    operations: operations?.steps,
  };
  if (flags.json) console.log(JSON.stringify(report, null, 2));
  else printReport(report);
});

/** Which backend a choice comes to; `auto` depends on the machine. */
function backendOf({ kind, options }: DeviceChoice): Backend {
  if (kind !== "auto") return kind;
  using device = openDevice(kind, options);
  return device.backend;
}

/** Times each competitor once a round; the order turns from round to round. */
async function timeRounds(
  competitors: readonly Competitor[],
  options: { measure: string; rounds: number; steps: number },
): Promise<Rates> {
  const { measure, rounds, steps } = options;
  const ours = competitors[0]!.worker;
  const rates: Rates = {};
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < competitors.length; i++) {
      const { name, worker, options } =
        competitors[(i + round) % competitors.length]!;
      const request = {
        measure,
        steps,
        // The others ran meanwhile, and a worker that holds one variant at a
        // time has to build it.
        warmUp: true,
        ...options,
      };
      // What others cannot do is left out: TensorFlow.js does not train.
      const answer = worker === ours
        ? await worker.ask(request)
        : await worker.attempt(request);
      if (typeof answer.seconds !== "number") continue;
      (rates[name] ??= []).push(Number(answer.images) / answer.seconds);
    }
  }
  return rates;
}

/**
 * Training in one process of one thread, in one of all threads, and in as many
 * processes of one thread at once, which is what this machine has to give.
 */
async function timeScaling(
  build: Record<string, unknown> & { threads: number },
  options: { rounds: number; steps: number },
): Promise<Rates> {
  await using stack = new AsyncDisposableStack();
  async function start(threads: number): Promise<Worker> {
    const worker = stack.use(await startGapcam(threads));
    await worker.ask({ ...build, threads });
    return worker;
  }
  const { steps } = options;
  async function rate(workers: readonly Worker[]): Promise<number> {
    const answers = await Promise.all(
      workers.map((worker) => worker.ask({ measure: "train", steps })),
    );
    return answers.reduce(
      (sum, { images, seconds }) => sum + Number(images) / Number(seconds),
      0,
    );
  }
  const all = await start(build.threads);
  const alone: Worker[] = [];
  for (let i = 0; i < build.threads; i++) alone.push(await start(1));
  for (const worker of [all, ...alone]) {
    await worker.ask({ measure: "train", steps: 1 });
  }
  const rates: Required<Rates> = { one: [], all: [], apart: [] };
  for (let round = 0; round < options.rounds; round++) {
    rates.one!.push(await rate(alone.slice(0, 1)));
    rates.all!.push(await rate([all]));
    rates.apart!.push(await rate(alone));
  }
  return rates;
}

/** Peak resident bytes of two training steps, each in a process of its own. */
async function peakMemory(
  build: Record<string, unknown> & { threads: number },
  python: string | undefined,
): Promise<Record<string, number>> {
  const peaks: Record<string, number> = {};
  async function measure(
    name: string,
    started: Promise<Worker>,
    options: Record<string, unknown>,
  ): Promise<void> {
    await using worker = await started;
    await worker.ask(build);
    await worker.ask({ measure: "train", steps: 2, ...options });
    peaks[name] = Number((await worker.ask({ measure: "memory" })).peakBytes);
  }
  await measure("gapcam", startGapcam(build.threads), {});
  if (python) {
    const options = { channelsLast: true, bf16: false };
    await measure("torch f32", startTorch(python, build.threads), options);
  }
  return peaks;
}

function startGapcam(threads: number): Promise<Worker> {
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

async function startTorch(python: string, threads: number): Promise<Worker> {
  try {
    return await Worker.start(python, [script("pytorch.py")], {
      OMP_NUM_THREADS: String(threads),
    });
  } catch (error) {
    throw new GapcamError(
      "not-found",
      `Cannot time PyTorch: ${python} did not start or has no torch; name a ` +
        "Python that has it with --python",
      { cause: error },
    );
  }
}

function script(name: string): string {
  return fileURLToPath(new URL(`bench/${name}`, import.meta.url));
}

/** The machine's limits, measured by build/machine_peak; empty if it was not built. */
async function machinePeak(threads: number): Promise<Record<string, unknown>> {
  const path = fileURLToPath(
    new URL("../build/machine_peak", import.meta.url),
  );
  try {
    const { success, stdout } = await new Deno.Command(path, {
      args: [String(threads)],
    }).output();
    if (!success) return {};
    return JSON.parse(new TextDecoder().decode(stdout));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

/** The better of each number: what disturbs the machine only lowers them. */
function highest(
  a: Record<string, unknown>,
  b: Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(a).map(([name, value]) => [
      name,
      typeof value === "number" ? Math.max(value, Number(b[name])) : value,
    ]),
  );
}

function list(text: string, known: readonly string[]): string[] {
  const parts = text.split(",").map((part) => part.trim());
  for (const part of parts) {
    if (known.includes(part)) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot run the benchmark on ${JSON.stringify(part)}: expected ${
        known.join(", ")
      }, separated by commas`,
    );
  }
  return parts;
}
