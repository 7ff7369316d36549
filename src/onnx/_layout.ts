import type { Computed, Constant } from "./_values.ts";

/** Operators that make each value of those at its place, whatever the layout. */
const ELEMENTWISE: ReadonlySet<string> = new Set([
  "Add",
  "Cast",
  "Clip",
  "Div",
  "Dropout",
  "Gelu",
  "HardSigmoid",
  "HardSwish",
  "Identity",
  "LeakyRelu",
  "Mul",
  "Relu",
  "Sigmoid",
  "Sub",
  "Sum",
]);

/** Whether an operator does not care in which order dimensions stand. */
export function isElementwise(operator: string): boolean {
  return ELEMENTWISE.has(operator);
}

/** The same map with its channels first, which is how its shape is kept. */
export function first({ last: _, ...value }: Computed): Computed {
  return value;
}

/** A constant for a map with channels last, as it is for one with channels first. */
export function moved(constant: Constant): Constant {
  const { shape } = constant;
  const channels = shape.at(-1);
  const others = shape.slice(0, -1);
  // One number, or one a channel; all else is refused where it is used.
  if (channels === undefined || others.some((size) => size !== 1)) {
    return constant;
  }
  return {
    ...constant,
    numbers: () => constant.numbers(),
    shape: [channels, 1, 1],
    tensor: undefined,
  };
}
