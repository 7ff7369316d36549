import type { Device } from "../device/device.ts";
import type { Machine } from "./run_event.ts";

/** What a device is, and what runs on it, as logs keep it. */
export function machineOf(device: Device): Machine {
  const description = device.describe();
  return {
    deno: Deno.version.deno,
    target: Deno.build.target,
    processors: navigator.hardwareConcurrency,
    name: description.name,
    version: description.version,
    ...("threads" in description ? { threads: description.threads } : {}),
  };
}
