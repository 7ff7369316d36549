/**
 * Devices, the tensors that live on them and the programs that run there: what
 * networks are made of, for whoever writes computations of their own.
 *
 * @module
 */

export type { Backend } from "./_library.ts";
export { Device } from "./device.ts";
export type {
  DeviceKind,
  DeviceMemory,
  DeviceOptions,
  Precision,
  TensorOptions,
} from "./device_options.ts";
export { describeBackend, openDevice } from "./open_device.ts";
export type { Activation } from "./activation.ts";
export type { LossOptions } from "./losses.ts";
export type { AdamOptions, SgdOptions, UpdateOptions } from "./updates.ts";
export { Communicator, type ReduceOrder } from "./communicator.ts";
export type {
  CommunicatorDescription,
  MpiDescription,
} from "./communicator_description.ts";
export { describeMpi, openCommunicator } from "./open_communicator.ts";
export { findLauncher, type Launcher, type Meeting } from "./launcher.ts";
export { Program } from "./program.ts";
export type { Phase, ProgramOptions, ProgramStep } from "./program_options.ts";
export type { Padding2d, Size2d } from "./size2d.ts";
export { Tensor, type TensorData, type TensorType } from "./tensor.ts";
export type {
  BackendDescription,
  CpuDescription,
  CpuDeviceDescription,
  CudaDescription,
  CudaDeviceDescription,
  DeviceDescription,
  GpuDescription,
  LibraryDescription,
  OpenedDevice,
  PlannedConvolution,
} from "./descriptions.ts";
