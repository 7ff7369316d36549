/**
 * Feeds one parser with damaged files and watches what comes of it.
 *
 * @module
 */

import { GapcamError } from "../../src/error.ts";
import { Random } from "../../src/random.ts";
import { mutate } from "./mutate.ts";

/** A parser under test. */
export interface FuzzTarget {
  /** Its name on the command line. */
  name: string;
  /** Real files, all of which it accepts. */
  seeds: () => Uint8Array[] | Promise<Uint8Array[]>;
  /** Parses a file and reads all that a user would. */
  parse: (bytes: Uint8Array) => unknown;
  /** Sets checksums right, so that damage reaches what lies behind them. */
  repair?: (bytes: Uint8Array) => Uint8Array;
  /** Changes a real file as its format has it, so that all else stays right. */
  vary?: (seed: Uint8Array, random: Random) => Uint8Array;
}

/** What a run found. */
export interface FuzzReport {
  inputs: number;
  /** Inputs that the parser accepted all the same. */
  accepted: number;
  seconds: number;
  /** Time of the slowest input. */
  slowestMilliseconds: number;
  /** Greatest growth of memory outside the heap during one input. */
  greatestGrowthBytes: number;
  failure?: FuzzFailure;
}

/** An input that a parser did not handle. */
export interface FuzzFailure {
  /** Which input of the run it is; the seed and this give it again. */
  index: number;
  reason: string;
  bytes: Uint8Array;
}

/** How a run ends. */
export interface FuzzLimits {
  seed: number;
  /** First input. Default: 0. */
  first?: number;
  /** Inputs at most. */
  count: number;
  seconds: number;
  /** Called before each input, for a watch over endless loops. */
  onInput?: (index: number) => void;
}

/** Longest time that one input may take. */
export const MILLISECONDS_LIMIT = 1000;
/** Most memory that one input may take. */
export const BYTES_LIMIT = 2 ** 30;

/**
 * Runs damaged files through a parser. An input fails where the parser throws
 * anything but a {@linkcode GapcamError}, takes over a second or over 1 GB.
 */
export async function runTarget(
  target: FuzzTarget,
  limits: FuzzLimits,
): Promise<FuzzReport> {
  const seeds = await target.seeds();
  const report: FuzzReport = {
    inputs: 0,
    accepted: 0,
    seconds: 0,
    slowestMilliseconds: 0,
    greatestGrowthBytes: 0,
  };
  // If the parser refused the files themselves, damage would show nothing.
  for (const seed of seeds) await target.parse(seed);
  const start = performance.now();
  const first = limits.first ?? 0;
  for (let index = first; index < first + limits.count; index++) {
    limits.onInput?.(index);
    const bytes = fuzzInput(target, seeds, { seed: limits.seed, index });
    const outcome = await tryInput(target, bytes);
    report.inputs++;
    if (outcome.accepted) report.accepted++;
    report.slowestMilliseconds = Math.max(
      report.slowestMilliseconds,
      outcome.milliseconds,
    );
    report.greatestGrowthBytes = Math.max(
      report.greatestGrowthBytes,
      outcome.growthBytes,
    );
    report.seconds = (performance.now() - start) / 1000;
    if (outcome.reason !== undefined) {
      report.failure = { index, reason: outcome.reason, bytes };
      break;
    }
    if (report.seconds > limits.seconds) break;
  }
  return report;
}

/** One input of a run. */
export function fuzzInput(
  target: FuzzTarget,
  seeds: readonly Uint8Array[],
  { seed, index }: { seed: number; index: number },
): Uint8Array {
  const random = new Random(seed, index);
  const bytes = target.vary && random.integer(2) === 0
    ? target.vary(seeds[random.integer(seeds.length)]!, random)
    : mutate(seeds, random);
  return target.repair && random.integer(2) === 0
    ? target.repair(bytes)
    : bytes;
}

interface Outcome {
  accepted: boolean;
  milliseconds: number;
  growthBytes: number;
  reason?: string;
}

async function tryInput(
  target: FuzzTarget,
  bytes: Uint8Array,
): Promise<Outcome> {
  let outcome = await once(target, bytes);
  // On a busy machine anything may take a second once, but not three times.
  for (let i = 0; i < 2 && outcome.milliseconds > MILLISECONDS_LIMIT; i++) {
    const again = await once(target, bytes);
    if (again.milliseconds < outcome.milliseconds) outcome = again;
  }
  if (outcome.reason !== undefined) return outcome;
  if (outcome.milliseconds > MILLISECONDS_LIMIT) {
    outcome.reason = `it took ${outcome.milliseconds.toFixed(0)} ms`;
  } else if (outcome.growthBytes > BYTES_LIMIT) {
    outcome.reason = `it took ${outcome.growthBytes} bytes of memory`;
  }
  return outcome;
}

async function once(target: FuzzTarget, bytes: Uint8Array): Promise<Outcome> {
  const before = Deno.memoryUsage().external;
  const start = performance.now();
  let accepted = false;
  let reason: string | undefined;
  try {
    await target.parse(bytes);
    accepted = true;
  } catch (error) {
    if (!(error instanceof GapcamError)) {
      reason = error instanceof Error && error.stack
        ? error.stack
        : String(error);
    } else if (!isSentence(error.message)) {
      reason = `its message is no sentence: ${error.message.slice(0, 500)}`;
    }
  }
  const milliseconds = performance.now() - start;
  const growthBytes = Deno.memoryUsage().external - before;
  return {
    accepted,
    milliseconds,
    growthBytes,
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Whether a message says something and does not fill the screen. */
function isSentence(message: string): boolean {
  return message.startsWith("Cannot ") && message.length < 1500 &&
    !message.endsWith(".");
}
