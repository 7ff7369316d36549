import { quote } from "../weights/_quote.ts";
import { type StoredTensor, toHostTensor } from "../weights/stored_tensor.ts";
import { Unreadable } from "./_unreadable.ts";
import { type Constant, constantOf } from "./_values.ts";

/** Constants of more values than this are weights, not shapes. */
const FEW = 65_536;

/** A tensor of the file as a constant. */
export function stored(tensor: StoredTensor, name: string): Constant {
  return {
    constant: true,
    shape: tensor.shape,
    integer: /^[IU]/.test(tensor.dtype),
    tensor,
    numbers: () => {
      const count = tensor.shape.reduce((product, size) => product * size, 1);
      if (count > FEW) {
        throw new Unreadable(
          `it takes the ${count} values of ${quote(name)} for a shape`,
        );
      }
      return [...toHostTensor(tensor, quote(name)).data];
    },
  };
}

/** A constant that an attribute holds. */
export function constantTensor(tensor: StoredTensor): Constant {
  return tensor.bytes.length === 0
    ? constantOf([], { shape: tensor.shape })
    : stored(tensor, "a constant");
}
