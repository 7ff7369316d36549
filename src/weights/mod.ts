/**
 * Files of weights: safetensors, and what PyTorch's `torch.save` writes, without
 * running what is in them.
 *
 * @module
 */

export type { HostTensor, StateDict } from "../host_tensor.ts";
export { parsePytorch, type PytorchFile, readPytorch } from "./read_pytorch.ts";
export {
  parseSafetensors,
  readSafetensors,
  type SafetensorsFile,
} from "./read_safetensors.ts";
export {
  parseWeights,
  readWeights,
  type WeightsFile,
  type WeightsFit,
  type WeightsOptions,
} from "./read_weights.ts";
export {
  ELEMENT_BYTES,
  type StoredTensor,
  type StoredType,
  toHostTensor,
  toStateDict,
} from "./stored_tensor.ts";
export { parseNpy, readNpy } from "./read_npy.ts";
export { encodePytorch, writePytorch } from "./write_pytorch.ts";
export { encodeSafetensors, writeSafetensors } from "./write_safetensors.ts";
