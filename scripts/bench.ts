/**
 * `deno task bench`: how fast the network trains, infers and explains here,
 * beside PyTorch, ONNX Runtime, OpenVINO and TensorFlow.js in the same run.
 *
 * On a noisy machine seconds mean little, ratios taken side by side much: each
 * round times every competitor once, one after the other, and the ratio of a
 * round is ours over theirs in that round. Medians over rounds are printed.
 *
 * @module
 */

import { join } from "node:path";
import { GapcamError } from "../src/error.ts";
import {
  type Backend,
  describeBackend,
  openDevice,
  type ProgramStep,
} from "../src/device/mod.ts";
import { modelNameOf, MODELS } from "../src/models/find_model.ts";
import { parseModel } from "../src/models/model_config.ts";
import { nearestNames } from "../src/_nearest_names.ts";
import { runCommand } from "./_command.ts";
import {
  DEVICE_FLAGS,
  type DeviceChoice,
  deviceChoice,
} from "./_device_flags.ts";
import {
  type Build,
  type Competitor,
  PEERS,
  startGapcam,
  startPeer,
} from "./bench/_competitors.ts";
import { describeMachine, highest, machinePeak } from "./bench/_machine.ts";
import { BenchProgress } from "./bench/_progress.ts";
import { printReport, type Rates } from "./bench/_report.ts";
import { peakMemory, timeRounds, timeScaling } from "./bench/_timing.ts";

const MEASURES = ["train", "infer", "cam"] as const;

await runCommand({
  name: "bench",
  summary: "Times training, inference and class activation maps, beside " +
    "PyTorch, ONNX Runtime, OpenVINO and TensorFlow.js in the same run.",
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
      help:
        "trunk, such as vgg11 or a list as 32,32,M,64, or a network as resnet50",
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
      help: `${PEERS.join(", ")} or none, separated by commas`,
      default: "none",
      placeholder: "LIST",
    },
    python: {
      type: "string",
      help: "a Python that has what is timed",
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
    scaling: { type: "boolean", help: "also time one thread and all" },
    load: {
      type: "integer",
      min: 0,
      max: 1024,
      help: "with --scaling: processes that keep a core busy beside it",
      default: "0",
    },
    memory: { type: "boolean", help: "also compare peak resident memory" },
    json: { type: "boolean", help: "print everything as JSON" },
  },
}, async (flags) => {
  const choice = deviceChoice(flags);
  const name = flags.model ?? "vgg16";
  const build: Build = {
    ...modelOf(name),
    size: flags["image-size"] ?? 224,
    batch: flags["batch-size"] ?? 8,
    threads: flags.threads ?? navigator.hardwareConcurrency,
    device: backendOf(choice),
    deviceIndex: flags["device-index"] ?? 0,
    precision: choice.options.precision ?? "f32",
  };
  const measures = list(flags.measure ?? "train,infer,cam", MEASURES);
  const against = list(flags.against ?? "none", [...PEERS, "none"] as const);
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
  const load = flags.load ?? 0;
  if (load > 0 && !flags.scaling) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot keep ${load} processes busy: --load is of --scaling, which was ` +
        "not asked for",
    );
  }
  const python = flags.python ?? "python3";
  const rounds = flags.rounds ?? 5;
  const steps = flags.steps ?? 1;

  await using stack = new AsyncDisposableStack();
  const ours = stack.use(await startGapcam(build.threads));
  await ours.ask({ ...build });
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
  const exported = { path: "" };
  const exportOnce = async () => {
    if (exported.path === "") {
      const folder = await Deno.makeTempDir({ prefix: "gapcam-bench-" });
      stack.defer(() => Deno.remove(folder, { recursive: true }));
      const path = join(folder, "network.onnx");
      await ours.ask({ measure: "export", path });
      exported.path = path;
    }
    return exported.path;
  };
  for (const peer of against) {
    if (peer === "none") continue;
    const started = { python, stack, export: exportOnce };
    competitors.push(...await startPeer(peer, build, started));
  }
  const progress = stack.use(new BenchProgress(measures, rounds));
  const before = await machinePeak(build.threads);

  const results: Record<string, Rates> = {};
  let operations: { steps: ProgramStep[] } | undefined;
  for (const measure of measures) {
    const able = competitors.filter(({ measures }) =>
      measures?.includes(measure) ?? true
    );
    results[measure] = await timeRounds(able, {
      measure,
      rounds,
      steps,
      onTurn: ({ round, number, name }) =>
        progress.show({
          measure,
          name,
          share: (round + number / able.length) / rounds,
        }),
    });
    if (measure === (measures.includes("train") ? "train" : "infer")) {
      operations = await ours.ask({ measure: "operations" }) as unknown as {
        steps: ProgramStep[];
      };
    }
  }
  const scaling = flags.scaling
    ? await timeScaling(build, {
      ...{ measures, rounds, steps, load },
      onTurn: ({ measure, share }) =>
        progress.show({ measure, name: "one thread and all", share }),
    })
    : undefined;
  progress.clear();
  const memory = flags.memory
    ? await peakMemory(build, against.includes("torch") ? python : undefined)
    : undefined;
  const machine = {
    ...describeMachine(),
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
    build: { ...build, model: name },
    machine,
    versions,
    rounds,
    steps,
    imagesPerSecond: results,
    scaling,
    load,
    memory,
    operations: operations?.steps,
    operationsOf: measures.includes("train") ? "train" : "infer",
  };
  if (flags.json) console.log(JSON.stringify(report, null, 2));
  else printReport(report);
});

/** A published network of that name, which knows 1000 classes, or a trunk for 10. */
function modelOf(text: string): Pick<Build, "model" | "classes"> {
  const name = modelNameOf(text);
  if (Object.hasOwn(MODELS, name)) return { model: name, classes: 1000 };
  try {
    return { model: parseModel(name), classes: 10 };
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    const nearest = nearestNames(name, Object.keys(MODELS), 3).join(", ");
    throw new GapcamError(
      error.code,
      `${error.message}, or a network such as ${nearest}`,
    );
  }
}

/** Which backend a choice comes to; `auto` depends on the machine. */
function backendOf({ kind, options }: DeviceChoice): Backend {
  if (kind !== "auto") return kind;
  using device = openDevice(kind, options);
  return device.backend;
}

function list<const Name extends string>(
  text: string,
  known: readonly Name[],
): Name[] {
  return text.split(",").map((part) => {
    const found = known.find((name) => name === part.trim());
    if (found !== undefined) return found;
    throw new GapcamError(
      "invalid-argument",
      `Cannot run the benchmark on ${JSON.stringify(part.trim())}: expected ${
        known.join(", ")
      }, separated by commas`,
    );
  });
}
