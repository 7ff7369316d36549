/**
 * What the compiler says of kernels, and how many of their threads a
 * multiprocessor holds at once.
 *
 * @module
 */

/** What one kernel takes. */
export interface KernelUse {
  name: string;
  /** Of a thread, 32 bits each. */
  registers: number;
  /** Bytes a thread that registers do not hold. */
  spilled: number;
  /** Bytes a thread of memory of its own, for arrays that registers cannot be. */
  stack: number;
  /** Bytes a block. */
  shared: number;
}

/** The limits of a multiprocessor. */
export interface Multiprocessor {
  threads: number;
  blocks: number;
  registers: number;
  /** Bytes for all blocks, of which the system takes some for each. */
  shared: number;
}

const SYSTEM_SHARED = 1024;
const WARP = 32;
/** Registers are handed to a warp in so many, by each of so many schedulers. */
const REGISTERS_AT_ONCE = 256, SCHEDULERS = 4;

/** By compute capability, as in the CUDA programming guide's table of them. */
export const MULTIPROCESSORS: Readonly<Record<string, Multiprocessor>> = {
  "80": { threads: 2048, blocks: 32, registers: 65536, shared: 164 * 1024 },
  "90": { threads: 2048, blocks: 32, registers: 65536, shared: 228 * 1024 },
  "100": { threads: 2048, blocks: 32, registers: 65536, shared: 228 * 1024 },
};

/** Reads what ptxas prints with `-v`. */
export function parseKernelLog(log: string): KernelUse[] {
  const kernels: KernelUse[] = [];
  for (const line of log.split("\n")) {
    const entry = /Compiling entry function '(\w+)'/.exec(line);
    if (entry) {
      const none = { registers: 0, spilled: 0, stack: 0, shared: 0 };
      kernels.push({ name: entry[1]!, ...none });
      continue;
    }
    const last = kernels.at(-1);
    if (!last) continue;
    const number = (pattern: RegExp) => Number(pattern.exec(line)?.[1] ?? 0);
    last.stack += number(/(\d+) bytes stack frame/);
    last.spilled += number(/(\d+) bytes spill stores/);
    last.registers += number(/Used (\d+) registers/);
    last.shared += number(/(\d+) bytes smem/);
  }
  return kernels.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Threads that a multiprocessor holds at once, as a share of what it could, and what limits it. */
export function occupancy(
  kernel: KernelUse,
  at: Multiprocessor,
  blockThreads: number,
): { share: number; limit: "threads" | "registers" | "shared" } {
  const warps = Math.ceil(blockThreads / WARP);
  const perWarp = Math.ceil(kernel.registers * WARP / REGISTERS_AT_ONCE) *
    REGISTERS_AT_ONCE;
  const warpsAtOnce = SCHEDULERS *
    Math.floor(at.registers / SCHEDULERS / perWarp);
  const blocks = {
    threads: Math.min(at.blocks, Math.floor(at.threads / blockThreads)),
    registers: Math.floor(warpsAtOnce / warps),
    shared: Math.floor(at.shared / (kernel.shared + SYSTEM_SHARED)),
  };
  const most = Math.min(blocks.threads, blocks.registers, blocks.shared);
  return {
    share: most * blockThreads / at.threads,
    limit: most === blocks.threads
      ? "threads"
      : most === blocks.registers
      ? "registers"
      : "shared",
  };
}
