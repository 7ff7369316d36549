import { expect, type LayerKind, mapShape, type Shape } from "./_layer_kind.ts";

/** The sum of several maps of one shape. */
export interface Add {
  /** Tells layers apart. */
  readonly kind: "add";
}

/** The product of two maps of one shape, or of a map and a gate [N, C, 1, 1]. */
export interface Multiply {
  /** Tells layers apart. */
  readonly kind: "multiply";
}

/** Several maps of one height and width, one after the other along channels. */
export interface Concatenate {
  /** Tells layers apart. */
  readonly kind: "concatenate";
}

/** A layer that reads several values. */
export type Join = Add | Multiply | Concatenate;

/** What is true of sums. */
export const addKind: LayerKind<Add> = {
  parse: () => ({ kind: "add" }),
  outputShape: (_, [first, ...rest]) => {
    for (const shape of rest) {
      expect(shape.join() === first.join(), "inputs of one shape");
    }
    return first;
  },
  record: (_, { program, inputs: [first, ...rest] }) =>
    rest.reduce((sum, input) => program.add(sum, input), first),
};

/** What is true of products. */
export const multiplyKind: LayerKind<Multiply> = {
  parse: () => ({ kind: "multiply" }),
  outputShape: (_, [first, ...rest]) => {
    expect(rest.length === 1, "two inputs");
    const [second] = rest as [Shape];
    if (second.join() === first.join()) return first;
    const map = [first, second].find((shape) => !isGate(shape));
    expect(
      map !== undefined &&
        [first, second].some((shape) => isGate(shape) && shape[0] === map[0]),
      "inputs of one shape, or a map and a gate of [its channels, 1, 1]",
    );
    return map!;
  },
  record: (_, { program, inputs }) => {
    const [first, second] = inputs as [typeof inputs[0], typeof inputs[0]];
    // The gate stands second.
    return first.shape.slice(2).join() === "1,1"
      ? program.multiply(second, first)
      : program.multiply(first, second);
  },
};

/** What is true of concatenations. */
export const concatenateKind: LayerKind<Concatenate> = {
  parse: () => ({ kind: "concatenate" }),
  outputShape: (_, inputs) => {
    const [, ...size] = mapShape(inputs[0]);
    const channels = inputs.reduce((sum, input) => {
      const [own, ...rest] = mapShape(input);
      expect(rest.join() === size.join(), "maps of one height and width");
      return sum + own;
    }, 0);
    return [channels, ...size];
  },
  record: (_, { program, inputs }) => program.concatenate(inputs),
};

function isGate(shape: Shape): boolean {
  return shape.length === 3 && shape[1] === 1 && shape[2] === 1;
}
