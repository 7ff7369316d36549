import type { ProgramStep } from "../../src/device/program_options.ts";

/** One competitor's images per second, a value a round, by its name. */
export type Rates = Record<string, number[]>;

/** What a run of the benchmark found. */
export interface Report {
  build: Record<string, unknown>;
  machine: Record<string, unknown>;
  versions: Record<string, unknown>;
  rounds: number;
  imagesPerSecond: Record<string, Rates>;
  /** Images per second at the widths of a scaling run, by what is measured. */
  scaling: Record<string, Rates> | undefined;
  /** How many processes kept a core busy beside the scaling run. */
  load: number;
  /** Peak resident bytes of two training steps. */
  memory: Record<string, number> | undefined;
  operations: readonly ProgramStep[] | undefined;
  /** What the operations are of: a step of `train` or of `infer`. */
  operationsOf: string;
}

/** Prints it for people. */
export function printReport(report: Report): void {
  const { build, machine, versions } = report;
  console.log(
    `${build.model}, ${build.size} x ${build.size}, batch ${build.batch}, ` +
      `${counted(machine.threads, "thread")}, medians of ` +
      counted(report.rounds, "round"),
  );
  console.log(machineLine(machine));
  console.log(
    Object.entries(versions).map(([name, version]) => `${name}: ${version}`)
      .join("; "),
  );
  for (const [measure, rates] of Object.entries(report.imagesPerSecond)) {
    console.log(`\n${measure}: images/s (ratio: gapcam over it, by rounds)`);
    const ours = rates.gapcam!;
    for (const [name, values] of Object.entries(rates)) {
      const ratios = values.map((value, i) => ours[i]! / value);
      console.log(
        `  ${name.padEnd(26)}${median(values).toFixed(3).padStart(10)}` +
          (name === "gapcam"
            ? ""
            : `   ${median(ratios).toFixed(2)} x  (${
              ratios.map((ratio) => ratio.toFixed(2)).join(" ")
            })`),
      );
    }
  }
  for (const [measure, rates] of Object.entries(report.scaling ?? {})) {
    printScaling(measure, rates, report.load);
  }
  if (report.memory) {
    console.log("\npeak resident memory, two training steps");
    for (const [name, bytes] of Object.entries(report.memory)) {
      console.log(`  ${name.padEnd(26)}${(bytes / 2 ** 30).toFixed(2)} GiB`);
    }
  }
  if (report.operations) printOperations(report.operations, report);
}

/** `one` thread, `all` threads, and as many processes of one thread. */
function printScaling(
  measure: string,
  { one, all, apart }: Rates,
  load: number,
): void {
  const ratio = (rates: number[]) =>
    median(rates.map((rate, round) => rate / one![round]!)).toFixed(2);
  const beside = load > 0
    ? `, beside ${counted(load, "busy process", "busy processes")}`
    : "";
  console.log(`\n${measure}, all threads over one${beside}`);
  console.log(`  one process of all threads    ${ratio(all!)} x`);
  console.log(`  processes of one thread each  ${ratio(apart!)} x`);
}

function counted(number: unknown, one: string, more = `${one}s`): string {
  return `${number} ${number === 1 ? one : more}`;
}

function machineLine(machine: Record<string, unknown>): string {
  const flops = Number(machine.flopsPerSecond);
  const copy = Number(machine.copyBytesPerSecond);
  const caches = Object.entries(machine.caches as Record<string, string>)
    .map(([level, size]) => `${level} ${size}`).join(", ");
  const cores = machine.cores === undefined
    ? ""
    : `, ${counted(machine.cores, "core")} of ` +
      counted(
        Number(machine.hardwareThreads) / Number(machine.cores),
        "thread",
      );
  return `${machine.processor}${cores}${caches && `, ${caches}`}` +
    (Number.isFinite(flops)
      ? `, ${machine.instructions}: ${(flops / 1e9).toFixed(0)} GFLOP/s of ` +
        `multiply-adds, ${(copy / 1e9).toFixed(1)} GB/s of copying`
      : "");
}

function printOperations(
  steps: readonly ProgramStep[],
  { machine, operationsOf }: Report,
): void {
  const total = steps.reduce((sum, step) => sum + perRun(step), 0);
  const copy = Number(machine.copyBytesPerSecond);
  const step = operationsOf === "train" ? "training step" : "forward pass";
  console.log(`\none ${step}: ${total.toFixed(1)} ms in`);
  console.log(
    "  " + "operation".padEnd(48) + "algorithm".padEnd(36) +
      "ms".padStart(9) + "GFLOP/s".padStart(10) + "share".padStart(8) +
      "x bytes".padStart(9),
  );
  for (const step of steps) {
    const milliseconds = perRun(step);
    const least = step.bytes / copy * 1000;
    console.log(
      "  " + labelOf(step).padEnd(48) +
        step.algorithm.padEnd(36) +
        milliseconds.toFixed(2).padStart(9) +
        (step.flops > 0 ? step.flops / milliseconds / 1e6 : 0).toFixed(1)
          .padStart(10) +
        `${(100 * milliseconds / total).toFixed(1)}%`.padStart(8) +
        // Of a step that is over at once the time is what starting it takes.
        (least > 0 && milliseconds > total / 1000
          ? (milliseconds / least).toFixed(1)
          : "").padStart(9),
    );
  }
}

/** `conv2d_backward_data 2 [8, 64, 224, 224]`: what, which layer, and its input. */
function labelOf(step: ProgramStep): string {
  const [, layer, shape] = /^\S+ (\d+) (\[[^\]]*\])/.exec(step.name) ?? [];
  return layer ? `${step.operation} ${layer} ${shape}` : step.name;
}

function perRun(step: ProgramStep): number {
  return step.runs > 0 ? step.milliseconds / step.runs : 0;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
