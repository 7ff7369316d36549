import { cpuUsage } from "node:process";

/**
 * Seconds that this process has computed. What others do on the machine counts
 * little, which it does in seconds that went by.
 */
export function cpuSeconds(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}
