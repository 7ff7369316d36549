import type { Device } from "../../src/device/device.ts";
import type { DeviceOptions } from "../../src/device/device_options.ts";
import { openDevice } from "../../src/device/open_device.ts";
import { openLibrary } from "../../src/device/_library.ts";

// The same tests hold every backend to account: GAPCAM_TEST_DEVICE=cuda, or cudasim over stand-ins
// for NVIDIA's libraries.
const wanted = Deno.env.get("GAPCAM_TEST_DEVICE") ?? "cpu";
if (!["cpu", "cuda", "cudasim"].includes(wanted)) {
  throw new Error(`GAPCAM_TEST_DEVICE is ${wanted}, expected cpu or cuda`);
}
const backend = wanted === "cpu" ? "cpu" : "cuda";

/** Whether the device is a stand-in, which computes by plain loops. */
export const simulated = wanted === "cudasim";

/** Opens the device under test; by default the CPU, with one thread. */
export function openTestDevice(options: DeviceOptions = {}): Device {
  return openDevice(backend, { threads: 1, ...options });
}

/** Bytes held by everything on all devices of the backend in this process. */
export function liveBytes(): number {
  return Number(openLibrary(backend).gapcam_live_bytes());
}
