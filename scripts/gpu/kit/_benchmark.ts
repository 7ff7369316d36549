/**
 * What the kit's benchmark measures, and how its report reads.
 *
 * @module
 */

import type { VggStep } from "../../../mod.ts";
import { cell } from "./_read_output.ts";

/** Precision of both sides. */
export type Precision = "f32" | "tf32" | "bf16";

/** Rates of one competitor, a value a round, or why there are none. */
export interface Rates {
  imagesPerSecond: number[];
  error?: string;
}

/** What was timed with one precision and batch. */
export interface Comparison {
  /** `vgg16`, or the name of a published network. */
  model: string;
  precision: Precision;
  batch: number;
  /** By measure (`train`, `cam`) and competitor. */
  rates: Record<string, Record<string, Rates>>;
}

/** One operation of our training step. */
export interface Operation {
  name: string;
  /** What it is one of. */
  operation: string;
  algorithm: string;
  milliseconds: number;
  flops: number;
  bytes: number;
}

/** All of the benchmark; written after each comparison. */
export interface BenchmarkResult {
  size: number;
  /** Floating-point operations of training VGG16 on one image. */
  flopsPerImage: number;
  /** What PyTorch said of itself. */
  torch: Record<string, unknown> | undefined;
  /** Measured rate of bf16 matrix products, the best of all timings. */
  bf16FlopsPerSecond?: number;
  comparisons: Comparison[];
  /** By network our bf16 step, operation by operation. */
  operations: Record<string, Operation[]>;
  /** What was left out, and why. */
  notes: string[];
}

/** Ratio of ours to the better PyTorch that the goal asks for. */
const GOAL_RATIO = 1.3;
/** Share of the measured bf16 rate that the goal asks for. */
const GOAL_SHARE = 0.5;
const GOAL_BATCH = 256;
/** Ratio of ours to `torch.compile` that ResNet-50's goal asks for. */
const RESNET_RATIO = 1.0;

/**
 * Floating-point operations of a training step on one image: each convolution
 * forward, backward into its input (the first has none) and into its weights.
 */
export function trainingFlops(
  trunk: readonly VggStep[],
  size: number,
): number {
  let total = 0, channels = 3, side = size, first = true;
  for (const step of trunk) {
    if (step === "M") {
      side = Math.floor(side / 2);
      continue;
    }
    total += 2 * 9 * channels * step * side * side * (first ? 2 : 3);
    channels = step;
    first = false;
  }
  return total;
}

/** The middle of some values; NaN if there are none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median over rounds of ours over the best of the others in the same round. */
export function ratioToBest(
  rates: Readonly<Record<string, Rates>>,
): number | undefined {
  const ours = rates.gapcam?.imagesPerSecond ?? [];
  const others = Object.entries(rates)
    .filter(([name, { imagesPerSecond }]) =>
      name !== "gapcam" && imagesPerSecond.length === ours.length
    ).map(([, { imagesPerSecond }]) => imagesPerSecond);
  if (ours.length === 0 || others.length === 0) return undefined;
  return median(
    ours.map((rate, i) => rate / Math.max(...others.map((o) => o[i]!))),
  );
}

/** The goals, each met, missed or not measured. */
export function goalLines(result: BenchmarkResult | undefined): string[] {
  const trained = (wanted: string) =>
    result?.comparisons.find(({ model, precision, batch }) =>
      model === wanted && precision === "bf16" && batch === GOAL_BATCH
    )?.rates.train ?? {};
  const train = trained("vgg16");
  const { gapcam, compile } = trained("resnet50");
  const compiled = gapcam && compile && ratioToBest({ gapcam, compile });
  const ratio = ratioToBest(train);
  // Against only one of the two the better one is not known.
  const both = ["eager", "compile"].every((name) =>
    (train[name]?.imagesPerSecond.length ?? 0) > 0
  );
  const ours = median(train.gapcam?.imagesPerSecond ?? []);
  const share = ours * (result?.flopsPerImage ?? NaN) /
    (result?.bf16FlopsPerSecond ?? NaN);
  return [
    goal(
      `VGG16, bf16, batch ${GOAL_BATCH}: trained images/s at least ${GOAL_RATIO} x ` +
        "the better PyTorch",
      both && ratio !== undefined
        ? { met: ratio >= GOAL_RATIO, value: `${ratio.toFixed(2)} x` }
        : undefined,
    ),
    goal(
      `VGG16, bf16, batch ${GOAL_BATCH}: at least ${
        100 * GOAL_SHARE
      } % of the ` +
        "measured bf16 matrix rate",
      Number.isFinite(share)
        ? { met: share >= GOAL_SHARE, value: `${(100 * share).toFixed(1)} %` }
        : undefined,
    ),
    goal(
      `ResNet-50, bf16, batch ${GOAL_BATCH}: trained images/s at least ` +
        `${RESNET_RATIO.toFixed(1)} x torch.compile`,
      compiled
        ? { met: compiled >= RESNET_RATIO, value: `${compiled.toFixed(2)} x` }
        : undefined,
    ),
  ];
}

function goal(
  what: string,
  found: { met: boolean; value: string } | undefined,
): string {
  if (!found) return `- ${what}: **not measured**`;
  return `- ${what}: **${found.met ? "met" : "missed"}** (${found.value})`;
}

/** The benchmark's tables. */
export function benchmarkMarkdown(result: BenchmarkResult): string {
  const names = ["gapcam", "eager", "compile"];
  const lines = [
    `Images of ${result.size} x ${result.size}, ` +
    `${(result.flopsPerImage / 1e9).toFixed(1)} GFLOP to train VGG16 on one. ` +
    "Each number is the median over rounds in which all take turns. gapcam " +
    "copies the images from the host in each step and prepares them; " +
    "PyTorch's lie prepared on the GPU. Both bring the maps to the host; " +
    "gapcam also proves each map against its logit there.",
    "",
    `PyTorch: ${describeTorch(result.torch)}; channels-last, ` +
    "cudnn.benchmark on, fused Adam, autocast for bf16.",
    "",
    `Measured bf16 matrix rate: ${teraflops(result.bf16FlopsPerSecond)}.`,
    "",
    "| network | measure | precision | batch | gapcam | PyTorch eager " +
    "| torch.compile | ours over the best | gapcam's rate |",
    "|---|---|---|---|---|---|---|---|---|",
  ];
  for (const { model, precision, batch, rates } of result.comparisons) {
    for (const [measure, found] of Object.entries(rates)) {
      const ours = median(found.gapcam?.imagesPerSecond ?? []);
      lines.push(
        `| ${model} | ${measure} | ${precision} | ${batch} | ${
          names.map((name) => shownRate(found[name])).join(" | ")
        } | ${ratioToBest(found)?.toFixed(2) ?? ""} | ${
          measure === "train" && model === "vgg16"
            ? teraflops(ours * result.flopsPerImage)
            : ""
        } |`,
      );
    }
  }
  for (const [model, operations] of Object.entries(result.operations)) {
    lines.push("", ...operationLines(model, operations));
  }
  lines.push("", ...result.notes.map((note) => `- ${note}`));
  return lines.join("\n");
}

/** A step by kind of operation, and its slowest operations. */
function operationLines(
  model: string,
  operations: readonly Operation[],
): string[] {
  const total = operations.reduce((sum, o) => sum + o.milliseconds, 0);
  const row = (names: readonly string[], some: readonly Operation[]) => {
    const sum = (value: (one: Operation) => number) =>
      some.reduce((all, one) => all + value(one), 0);
    const milliseconds = sum((one) => one.milliseconds);
    const flops = sum((one) => one.flops), bytes = sum((one) => one.bytes);
    return `| ${names.map(cell).join(" | ")} | ${milliseconds.toFixed(3)} ` +
      `| ${(100 * milliseconds / total).toFixed(1)} % ` +
      `| ${flops > 0 ? teraflops(flops / milliseconds * 1000) : ""} ` +
      `| ${
        bytes > 0 ? `${(bytes / milliseconds / 1e6).toFixed(0)} GB/s` : ""
      } |`;
  };
  const slowest = operations.toSorted((a, b) =>
    b.milliseconds - a.milliseconds
  );
  const kinds = Map.groupBy(slowest, ({ operation }) => operation);
  return [
    `One bf16 training step of ${model} by operation, waiting after each ` +
    `(${total.toFixed(2)} ms in all):`,
    "",
    "| operation | of them | ms | share | rate | memory |",
    "|---|---|---|---|---|---|",
    ...[...kinds].map(([kind, some]) => row([kind, String(some.length)], some)),
    "",
    "The slowest:",
    "",
    "| operation | algorithm | ms | share | rate | memory |",
    "|---|---|---|---|---|---|",
    ...slowest.slice(0, 20).map((one) => row([one.name, one.algorithm], [one])),
  ];
}

function shownRate(rates: Rates | undefined): string {
  if (!rates) return "not measured";
  if (rates.error) return `failed: ${cell(rates.error).slice(0, 160)}`;
  return median(rates.imagesPerSecond).toFixed(1);
}

function describeTorch(torch: Record<string, unknown> | undefined): string {
  if (!torch) return "none";
  return Object.entries(torch).map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

function teraflops(rate: number | undefined): string {
  return rate === undefined || !Number.isFinite(rate)
    ? "not measured"
    : `${(rate / 1e12).toFixed(1)} TFLOP/s`;
}
