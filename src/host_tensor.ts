/** A tensor in host memory, 32-bit floats in row-major order. */
export interface HostTensor {
  /** Dimensions, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /** Values; as many as the product of `shape`. */
  readonly data: Float32Array;
}

/** Tensors by name, in the model's order, as PyTorch's `state_dict()`. */
export type StateDict = Map<string, HostTensor>;

/** How many elements a tensor of a shape has; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}
