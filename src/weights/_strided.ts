import { elementCount } from "../host_tensor.ts";

/** Whether strides are those of row-major order without gaps. */
export function isContiguous(
  shape: readonly number[],
  strides: readonly number[],
): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i]!;
  }
  return true;
}

/**
 * Copies a strided view into row-major order.
 *
 * @param source The storage's bytes.
 * @param elementBytes Size of an element: 1, 2, 4 or 8.
 * @param view First element, shape and strides, in elements.
 * @returns The view's elements, without gaps.
 */
export function gather(
  source: Uint8Array,
  elementBytes: number,
  view: {
    offset: number;
    shape: readonly number[];
    strides: readonly number[];
  },
): Uint8Array {
  const count = elementCount(view.shape);
  const result = new Uint8Array(count * elementBytes);
  if (count === 0) return result;
  if (elementBytes === 8) {
    // As two halves: bits stay bits, which a NaN as a number would not.
    return gather(source, 4, {
      offset: view.offset * 2,
      shape: [...view.shape, 2],
      strides: [...view.strides.map((stride) => stride * 2), 1],
    });
  }
  const Class = elementBytes === 4
    ? Uint32Array
    : elementBytes === 2
    ? Uint16Array
    : Uint8Array;
  const aligned = source.byteOffset % elementBytes === 0
    ? source
    : new Uint8Array(source);
  const from: ArrayLike<number> = new Class(
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    Math.floor(aligned.length / elementBytes),
  );
  const to = new Class(result.buffer);
  const rank = view.shape.length;
  const rowLength = view.shape[rank - 1] ?? 1;
  const rowStride = view.strides[rank - 1] ?? 1;
  const index = new Array<number>(Math.max(0, rank - 1)).fill(0);
  let row = view.offset;
  for (let start = 0; start < count; start += rowLength) {
    for (let i = 0; i < rowLength; i++) {
      to[start + i] = from[row + i * rowStride]!;
    }
    for (let d = rank - 2; d >= 0; d--) {
      row += view.strides[d]!;
      if (++index[d]! < view.shape[d]!) break;
      row -= view.strides[d]! * view.shape[d]!;
      index[d] = 0;
    }
  }
  return result;
}
