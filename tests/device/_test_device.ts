import {
  type Device,
  type DeviceOptions,
  openDevice,
} from "../../src/device/device.ts";
import { openLibrary } from "../../src/device/_library.ts";

// The same tests hold every backend to account: GAPCAM_TEST_DEVICE=cuda.
const backend = Deno.env.get("GAPCAM_TEST_DEVICE") === "cuda" ? "cuda" : "cpu";

/** Opens the device under test; by default the CPU, with one thread. */
export function openTestDevice(options: DeviceOptions = {}): Device {
  return openDevice(backend, { threads: 1, ...options });
}

/** Bytes held by everything on all devices of the backend in this process. */
export function liveBytes(): number {
  return Number(openLibrary(backend).gapcam_live_bytes());
}
