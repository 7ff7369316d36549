import type { Backend } from "./_library.ts";
import type { TensorData, TensorType } from "./tensor.ts";

/** Which device to open: `auto` takes CUDA where it works, else the CPU. */
export type DeviceKind = "auto" | Backend;

/** How a device multiplies; see {@linkcode DeviceOptions.precision}. */
export type Precision = "f32" | "tf32" | "bf16";

/** {@linkcode Precision} in the order of `gapcam_precision`. */
export const PRECISIONS: readonly Precision[] = ["f32", "tf32", "bf16"];

/**
 * @ignore The most threads that may be asked for: more than a few for each
 * processor only wait for each other, for minutes.
 */
export const MOST_THREADS = Math.max(64, 4 * navigator.hardwareConcurrency);

/** Options of {@linkcode openDevice}. */
export interface DeviceOptions {
  /** Which of several GPUs, from 0; of the CPU there is one. Default: 0. */
  index?: number;
  /**
   * `f32` (exact), `tf32` (CUDA: TF32 multiplication), `bf16` (bf16 maps; f32
   * master weights, accumulation and loss). Default: `f32`.
   */
  precision?: Precision;
  /**
   * CPU threads, from 1 to 64 or four for each processor, whichever is more; all
   * that the process may run on if left out.
   */
  threads?: number;
  /** Waits after each step, so that an error names it. Default: false. */
  synchronous?: boolean;
  /** Folder of the native libraries. Default: GAPCAM_LIBRARY_FOLDER, or `build` beside mod.ts. */
  libraryFolder?: string;
}

/** What a device holds; see {@linkcode Device.memory}. */
export interface DeviceMemory {
  /** Bytes held now by tensors and programs. */
  liveBytes: number;
  /** The most bytes held at once since the device was opened. */
  peakBytes: number;
  /** Allocations held now. */
  allocations: number;
  /** Bytes that are free on the device; 0 if unknown. */
  freeBytes: number;
}

/** Options of {@linkcode Device.tensor}. */
export interface TensorOptions {
  /** Element type. Default: that of `data`, else `f32`. */
  type?: TensorType;
  /** Values; zeros if left out. */
  data?: TensorData;
  /**
   * Whether the tensor may be written while a program runs; the next run takes
   * what was written. For images and labels. Default: false.
   */
  staged?: boolean;
}
