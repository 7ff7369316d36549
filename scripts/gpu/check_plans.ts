/**
 * What `check_plans.sh` runs for each device: compiles networks for a device
 * that is only described, named by GAPCAM_DESCRIBED_DEVICE, and prints how
 * cuDNN plans each of their convolutions.
 *
 * @module
 */

import type { Device } from "../../src/device/device.ts";
import { PRECISIONS } from "../../src/device/device_options.ts";
import { openDevice } from "../../src/device/open_device.ts";
import type {
  CudaDeviceDescription,
  PlannedConvolution,
} from "../../src/device/descriptions.ts";
import { GapcamError } from "../../src/error.ts";
import { type Flag, runCommand } from "../_command.ts";
import { UsageError } from "../_flags.ts";
import { describedSteps, type Job, modelOf } from "./_described.ts";

const FLAGS = {
  models: {
    type: "string",
    placeholder: "LIST",
    help: "names as task train takes them, depthwise, grouped, or one trunk " +
      "such as 32,32,M,64",
    default: "vgg11,vgg13,vgg16,vgg19,resnet18,depthwise,grouped",
  },
  sizes: {
    type: "string",
    placeholder: "LIST",
    help: "heights and widths of the images",
    default: "224,96",
  },
  batches: {
    type: "string",
    placeholder: "LIST",
    help: "images a batch",
    default: "1,64",
  },
  precisions: {
    type: "string",
    placeholder: "LIST",
    help: "f32, tf32, bf16",
    default: "f32,tf32,bf16",
  },
} as const satisfies Record<string, Flag>;

/** What a device that is only described tells of a convolution, beside how it is planned. */
interface DescribedConvolution extends PlannedConvolution {
  readonly outcome: "planned" | "fused" | "unfused" | "own" | "refused";
  /** What does the same, the wanted first; engine -1: not to be had. */
  readonly plans: readonly {
    graph: string;
    engine: number;
    workspace: number;
  }[];
  /** Why plans were not taken. */
  readonly refusals: readonly string[];
}

/** What it tells of itself. */
interface DescribedDevice extends CudaDeviceDescription {
  /** Size of all kernels, compiled for it. */
  readonly kernelBytes: number;
  readonly convolutions: readonly DescribedConvolution[];
}

/** How many graphs there are, and what became of them. */
class Tally {
  readonly #counts = { planned: 0, fused: 0, unfused: 0, own: 0, refused: 0 };

  count(outcome: DescribedConvolution["outcome"]): void {
    this.#counts[outcome]++;
  }

  get isWell(): boolean {
    const { refused, ...others } = this.#counts;
    return refused === 0 && Object.values(others).some((count) => count > 0);
  }

  toString(): string {
    const { refused, unfused, ...others } = this.#counts;
    const planned = others.planned + others.fused + others.own + unfused;
    return `${planned + refused} graphs, ${planned} planned, ` +
      `${refused} refused` + (unfused ? ` (${unfused} of them not fused)` : "");
  }
}

await runCommand({
  name: "check_plans.ts",
  summary: "Plans every convolution of networks for a device that is only " +
    "described.",
  flags: FLAGS,
}, async (flags) => {
  const precisions = listOf(flags.precisions ?? FLAGS.precisions.default).map(
    (text) => {
      const precision = PRECISIONS.find((known) => known === text);
      if (precision) return precision;
      throw new UsageError(
        `--precisions takes ${PRECISIONS.join(", ")}, not ${
          JSON.stringify(text)
        }`,
      );
    },
  );
  const jobs = jobsOf({
    models: modelsOf(flags.models ?? FLAGS.models.default),
    sizes: numbersOf("sizes", flags.sizes ?? FLAGS.sizes.default),
    batches: numbersOf("batches", flags.batches ?? FLAGS.batches.default),
  });
  const tally = new Tally();
  let named = false;
  for (const precision of precisions) {
    using device = openDevice("cuda", { precision });
    if (!named) printKernels(describe(device));
    named = true;
    const printed = new Set<string>();
    for (const job of jobs) {
      await compile(device, job, tally);
      printNew(describe(device), printed, tally);
    }
  }
  console.log(String(tally));
  return tally.isWell ? 0 : 1;
});

function listOf(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part);
}

/** Names, each of which is one network, or one trunk. */
function modelsOf(text: string): string[] {
  if (/^\d/.test(text)) return [text];
  const models = listOf(text);
  for (const model of models) modelOf(model);
  return models;
}

function numbersOf(name: string, text: string): number[] {
  return listOf(text).map((part) => {
    if (/^[1-9]\d{0,4}$/.test(part)) return Number(part);
    throw new UsageError(
      `--${name} takes whole numbers from 1 to 99999 with commas between ` +
        `them, not ${JSON.stringify(text)}`,
    );
  });
}

function jobsOf(
  lists: { models: string[]; sizes: number[]; batches: number[] },
): Job[] {
  return lists.models.flatMap((model) =>
    lists.sizes.flatMap((size) =>
      lists.batches.map((batch) => ({ model, size, batch }))
    )
  );
}

function describe(device: Device<"cuda">): DescribedDevice {
  const description = device.describe();
  if ("kernelBytes" in description) return description as DescribedDevice;
  throw new GapcamError(
    "unsupported",
    `Cannot check plans on ${description.name}: found a real device, ` +
      "expected one that is only described; run scripts/gpu/check_plans.sh",
  );
}

/** Compiles a training step and inference; what is refused as a whole is printed and counted. */
async function compile(
  device: Device<"cuda">,
  job: Job,
  tally: Tally,
): Promise<void> {
  for (const training of [true, false]) {
    try {
      await describedSteps(device, job, { training });
    } catch (error) {
      if (!(error instanceof GapcamError)) throw error;
      tally.count("refused");
      console.log(
        `${device.describe().name.padEnd(7)} ${
          training ? "training" : "inference"
        } of ${job.model} ${job.size} batch ${job.batch} ` +
          `${device.precision}: refused: ${error.message}`,
      );
    }
  }
}

function printKernels({ name, kernelBytes }: DescribedDevice): void {
  console.log(
    `${name.padEnd(7)} all kernels compiled, ${kernelBytes} bytes`,
  );
}

/** Prints and counts the convolutions that no network before had. */
function printNew(
  { name, convolutions }: DescribedDevice,
  printed: Set<string>,
  tally: Tally,
): void {
  for (const { graph, outcome, plans, refusals } of convolutions) {
    const key = `${graph};${plans.map((plan) => plan.graph).join(";")}`;
    if (printed.has(key)) continue;
    printed.add(key);
    tally.count(outcome);
    const row = `${name.padEnd(7)} ${graph.padEnd(72)} ${outcome.padEnd(8)}`;
    if (outcome === "refused") {
      console.log(row.trimEnd());
      for (const reason of refusals) console.log(`        ${reason}`);
      continue;
    }
    const ways = plans.map(({ engine, workspace }) =>
      engine < 0 ? "not to be had" : `engine ${engine}, workspace ${workspace}`
    );
    console.log(`${row} ${ways.join("; else ")}`);
  }
}
