import { GapcamError } from "../error.ts";
import { quote, shapeText } from "./_quote.ts";
import { elementCount, type HostTensor } from "../host_tensor.ts";
import { ELEMENT_BYTES, type StoredTensor } from "./stored_tensor.ts";

/** A tensor as files hold it, over the same memory, its length checked. */
export function storedTensor(
  name: string,
  tensor: HostTensor | StoredTensor,
): StoredTensor {
  const { shape } = tensor;
  const [dtype, view] = "bytes" in tensor
    ? [tensor.dtype, tensor.bytes]
    : ["F32" as const, tensor.data];
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const expected = ELEMENT_BYTES[dtype] * elementCount(shape);
  if (bytes.length !== expected) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot write tensor ${quote(name)}: it has ${bytes.length} ` +
        `bytes, expected ${expected} for ${dtype} ${shapeText(shape)}`,
    );
  }
  return { dtype, shape, bytes };
}
