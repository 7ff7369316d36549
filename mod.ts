/**
 * gapcam trains convolutional classifiers that end in global average pooling,
 * and shows why they decide, as class activation maps.
 *
 * @module
 */

export * from "./src/error.ts";
export type { Dataset } from "./src/data/dataset.ts";
export {
  describeBackend,
  Device,
  type DeviceKind,
  type DeviceMemory,
  type DeviceOptions,
  openDevice,
  type Precision,
  type TensorOptions,
} from "./src/device/device.ts";
export type { Backend } from "./src/device/_library.ts";
export {
  type Phase,
  Program,
  type ProgramOptions,
  type ProgramStep,
  type Size2d,
} from "./src/device/program.ts";
export {
  Tensor,
  type TensorData,
  type TensorType,
} from "./src/device/tensor.ts";
export type { HostTensor, StateDict } from "./src/weights/state_dict.ts";
