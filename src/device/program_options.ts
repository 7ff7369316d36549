import type { Communicator, ReduceOrder } from "./communicator.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@linkcode Device.program}. */
export interface ProgramOptions {
  /** Whether batch normalisation uses and updates batch statistics. Default: false. */
  training?: boolean;
  /**
   * What {@linkcode Program.dropout} draws by in a program that trains: an i32
   * [3] tensor of the device, a seed, the step's number and the number of the
   * first image in the whole batch, written before each forward run and left
   * until its backward has run. The same three give the same zeros, on every
   * device.
   */
  random?: Tensor;
  /** Whether to time each step; see {@linkcode Program.describe}. Default: false. */
  profile?: boolean;
  /** What joins the ranks that all run this program. Default: it runs alone. */
  communicator?: Communicator;
  /**
   * Whether batch normalisation takes the statistics of all ranks' batches, of a
   * program that communicates. Default: false.
   */
  syncBatchNorm?: boolean;
  /** How sums over ranks are taken; see {@linkcode ReduceOrder}. Default: `ordered`. */
  reduce?: ReduceOrder;
}

/** What {@linkcode Program.run} runs; always in this order. */
export type Phase = "forward" | "backward" | "update";

/** One step of a compiled program; see {@linkcode Program.describe}. */
export interface ProgramStep {
  /** The phase that runs it. */
  phase: Phase;
  /** Which operation it is part of, such as `conv2d`. */
  operation: string;
  /** Which of several, such as `conv2d 3`. */
  name: string;
  /** How it is computed. */
  algorithm: string;
  /** Floating-point operations of the direct algorithm, a run. */
  flops: number;
  /** Bytes that it reads and writes, a run. */
  bytes: number;
  /** Kernels that a GPU is given, a run; 0 on the CPU. */
  launches: number;
  /** How often it has run. */
  runs: number;
  /** Time over all runs; 0 if the program does not profile. */
  milliseconds: number;
}

/** {@linkcode Phase} as bits of `gapcam_phase`. */
export const PHASES: Record<Phase, number> = {
  forward: 1,
  backward: 2,
  update: 4,
};

/** Two operands of one shape as `gapcam_binary` numbers them. */
export const BINARY = { add: 0, multiply: 1, divide: 2 } as const;

/** Pools as `gapcam_pool` numbers them. */
export const POOLS = { max: 0, average: 1 } as const;
