import type { Precision } from "./device_options.ts";

/** What each backend is, as {@linkcode describeBackend} tells. */
export interface BackendDescription {
  /** The CPU. */
  readonly cpu: CpuDescription;
  /** NVIDIA's GPUs. */
  readonly cuda: CudaDescription;
}

/** What an open device of each backend is, as {@linkcode Device.describe} tells. */
export interface DeviceDescription {
  /** The CPU. */
  readonly cpu: CpuDeviceDescription;
  /** A GPU. */
  readonly cuda: CudaDeviceDescription;
}

/** The CPU's library and the machine it runs on. */
export interface CpuDescription {
  /** Which backend this is. */
  readonly backend: "cpu";
  /** One line: what computes, and with which instructions. */
  readonly version: string;
  /** oneDNN, and the greatest instruction set that it uses. */
  readonly onednn: {
    readonly version: string;
    readonly instructionSet: string;
  };
  /** Instruction set of gapcam's own kernels. */
  readonly instructionSet: string;
  /** Processors that the process may run on. */
  readonly processors: number;
  /** Whether the processor multiplies bf16. */
  readonly bf16: boolean;
  /** Where timings are kept; empty where no folder can be made. */
  readonly cacheFolder: string;
}

/** What every open device says of itself. */
export interface OpenedDevice {
  /** Its number among those of its backend. */
  readonly index: number;
  /** Its name, such as `NVIDIA H100 80GB HBM3`. */
  readonly name: string;
  /** How it multiplies. */
  readonly precision: Precision;
}

/** An open CPU. */
export interface CpuDeviceDescription extends CpuDescription, OpenedDevice {
  /** Threads that compute. */
  readonly threads: number;
}

/** The CUDA library, NVIDIA's libraries and the GPUs that were found. */
export interface CudaDescription {
  /** Which backend this is. */
  readonly backend: "cuda";
  /** One line: versions of cuDNN and the driver, or `CUDA, not usable`. */
  readonly version: string;
  /** GPUs by number. */
  readonly devices: readonly GpuDescription[];
  /** Why no GPU can be used, if none can. */
  readonly problem?: string;
  /** NVIDIA's libraries. */
  readonly libraries: readonly LibraryDescription[];
  /** NCCL, which joins the GPUs of several ranks, or why it cannot be used. */
  readonly nccl:
    | { readonly library: string; readonly version: string }
    | { readonly problem: string };
}

/** A GPU. */
export interface GpuDescription {
  /** Its number, from 0. */
  readonly index: number;
  /** Its name. */
  readonly name: string;
  /** Such as `9.0`. */
  readonly computeCapability: string;
  /** Bytes of its memory. */
  readonly bytes: number;
}

/** A library of NVIDIA's: found, or why not. */
export interface LibraryDescription {
  /** Its file's name. */
  readonly name: string;
  /** The file that was loaded. */
  readonly path?: string;
  /** Its version. */
  readonly version?: string;
  /** What is wrong with it. */
  readonly problem?: string;
}

/** An open GPU. */
export interface CudaDeviceDescription extends GpuDescription, OpenedDevice {
  /** Which backend this is. */
  readonly backend: "cuda";
  /** One line: versions of cuDNN and the driver. */
  readonly version: string;
  /** NVIDIA's libraries. */
  readonly libraries: readonly LibraryDescription[];
  /** What was chosen for the convolutions compiled so far. */
  readonly convolutions: readonly PlannedConvolution[];
}

/** How a convolution runs on a GPU, alone or with what follows it. */
export interface PlannedConvolution {
  /** What is computed. */
  readonly graph: string;
  /** How. */
  readonly algorithm: string;
  /** Why it is not what was wanted, if it is not. */
  readonly reason?: string;
}
