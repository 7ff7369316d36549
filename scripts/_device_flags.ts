/**
 * Where to compute, as flags say it.
 *
 * @module
 */

import {
  type DeviceKind,
  type DeviceOptions,
  MOST_THREADS,
  type Precision,
} from "../src/device/device_options.ts";
import type { Flag, FlagValues } from "./_command.ts";

/** Flags of every command that opens a device. */
export const DEVICE_FLAGS = {
  device: {
    type: "string",
    choices: ["auto", "cpu", "cuda"],
    help: "where to compute; auto takes CUDA where it works",
    default: "auto",
    placeholder: "DEVICE",
  },
  "device-index": {
    type: "integer",
    min: 0,
    max: 1023,
    help: "which of several GPUs",
    default: "0",
  },
  precision: {
    type: "string",
    choices: ["f32", "tf32", "bf16"],
    help: "how to multiply",
    default: "f32",
    placeholder: "TYPE",
  },
  threads: {
    type: "integer",
    min: 1,
    max: MOST_THREADS,
    help: "CPU threads",
    default: "all",
  },
} as const satisfies Record<string, Flag>;

/** A device to open. */
export interface DeviceChoice {
  kind: DeviceKind;
  options: DeviceOptions;
}

/** The device that flags name; with `--debug` it waits after each step. */
export function deviceChoice(
  flags: Omit<FlagValues<typeof DEVICE_FLAGS>, "positional"> & {
    debug?: boolean;
  },
): DeviceChoice {
  return {
    kind: (flags.device ?? "auto") as DeviceKind,
    options: {
      index: flags["device-index"] ?? 0,
      precision: (flags.precision ?? "f32") as Precision,
      synchronous: flags.debug ?? false,
      ...(flags.threads ? { threads: flags.threads } : {}),
    },
  };
}
