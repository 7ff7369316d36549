import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import { constantTensor } from "../_stored_constant.ts";
import { constantOf } from "../_values.ts";

/** Reads Constant. */
export function readConstant(at: GraphReader): void {
  const tensor = at.tensor("value");
  if (tensor) return at.give(constantTensor(tensor));
  for (const name of ["value_ints", "value_floats"]) {
    const list = at.numbers(name);
    const integer = name === "value_ints";
    if (list) return at.give(constantOf(list, { integer }));
  }
  for (const name of ["value_int", "value_float"]) {
    if (at.hasAttribute(name)) {
      return at.give(constantOf([at.number(name, 0)], {
        shape: [],
        integer: name === "value_int",
      }));
    }
  }
  throw new Unreadable("it holds no numbers");
}

/** Reads ConstantOfShape. */
export function readConstantOfShape(at: GraphReader): void {
  const shape = at.constant(0).numbers();
  const count = shape.reduce((product, size) => product * size, 1);
  if (!(count <= 65_536)) throw new Unreadable("it makes too much");
  const tensor = at.tensor("value");
  const [value = 0] = tensor ? constantTensor(tensor).numbers() : [];
  at.give(constantOf(Array<number>(count).fill(value), {
    shape,
    integer: tensor === undefined || /^[IU]/.test(tensor.dtype),
  }));
}
