/**
 * What the machine is and what it can give.
 *
 * @module
 */

import { cpus } from "node:os";
import { fileURLToPath } from "node:url";

/** Processor, cores, caches and memory, as the kernel tells them. */
export function describeMachine(): Record<string, unknown> {
  const siblings = new Set<string>();
  const caches: Record<string, string> = {};
  const cpu = (number: number) => `/sys/devices/system/cpu/cpu${number}`;
  const processors = cpus();
  for (let i = 0; i < processors.length; i++) {
    const shared = readLine(`${cpu(i)}/topology/thread_siblings_list`);
    if (shared) siblings.add(shared);
  }
  for (let i = 0; i < 8; i++) {
    const cache = `${cpu(0)}/cache/index${i}`;
    const level = readLine(`${cache}/level`);
    const type = readLine(`${cache}/type`);
    if (!level || type === "Instruction") continue;
    const shared = readLine(`${cache}/shared_cpu_list`);
    caches[`L${level}`] = `${readLine(`${cache}/size`)}` +
      (shared && /[-,]/.test(shared) ? ` (shared by ${shared})` : "");
  }
  return {
    processor: processors[0]?.model ?? "unknown",
    hardwareThreads: processors.length,
    ...(siblings.size > 0 ? { cores: siblings.size } : {}),
    caches,
    memoryBytes: Deno.systemMemoryInfo().total,
  };
}

function readLine(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    // Other systems, and virtual machines, do not say.
    return undefined;
  }
}

/** The machine's limits, measured by build/machine_peak; empty if it was not built. */
export async function machinePeak(
  threads: number,
): Promise<Record<string, unknown>> {
  const path = fileURLToPath(
    new URL("../../build/machine_peak", import.meta.url),
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
export function highest(
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
