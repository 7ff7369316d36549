import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import { activation } from "../../nn/layers/activation.ts";
import { conv2d } from "../../nn/layers/conv2d.ts";
import type { Add, Concatenate, Multiply } from "../../nn/layers/join.ts";
import { linear } from "../../nn/layers/linear.ts";
import { first } from "../_layout.ts";
import { type Computed, type Constant, constantOf } from "../_values.ts";
import { integer, operator, type OperatorWriter } from "./_operator.ts";

/** A sum is Add of two at a time. */
export const writeAdd: OperatorWriter<Add> = (_, at) =>
  at.inputs.slice(1).map((input, i) => {
    const last = i === at.inputs.length - 2;
    const partial = (number: number) => `${at.name}.${number}`;
    return operator("Add", {
      name: last ? at.name : partial(i),
      inputs: [i === 0 ? at.inputs[0]! : partial(i - 1), input],
      output: last ? at.output : partial(i),
    });
  });

/** A product is Mul. */
export const writeMultiply: OperatorWriter<Multiply> = (_, at) => [
  operator("Mul", at),
];

/** A concatenation is Concat along channels. */
export const writeConcatenate: OperatorWriter<Concatenate> = (_, at) => [
  operator("Concat", at, { attributes: [integer("axis", 1)] }),
];

/** Reads Sum: an Add of any number. */
export function readSum(at: GraphReader): void {
  const maps = at.current.inputs.map((_, i) => at.map(i));
  at.give(maps.length === 1 ? maps[0]! : at.append({ kind: "add" }, maps));
}

/** Reads Add: of maps, of a bias, or of a number. */
export function readAdd(at: GraphReader): void {
  const [first, second] = [at.value(0), at.value(1)];
  if (first.constant && second.constant) {
    return at.give(folded(first, second, (a, b) => a + b));
  }
  if (first.constant) return addConstant(at, 1, 0);
  if (second.constant) return addConstant(at, 0, 1);
  at.give(at.append({ kind: "add" }, [at.map(0), at.map(1)]));
}

/** Reads Sub. */
export function readSub(at: GraphReader): void {
  const [first, second] = [at.value(0), at.value(1)];
  if (first.constant && second.constant) {
    return at.give(folded(first, second, (a, b) => a - b));
  }
  if (first.constant) {
    return scaleAndShift(at, at.computed(1), {
      scale: [-1],
      shift: perChannel(first, at.computed(1)),
    });
  }
  if (!second.constant) {
    throw new Unreadable("it subtracts one map from another");
  }
  scaleAndShift(at, first, {
    scale: [1],
    shift: perChannel(second, first).map((value) => -value),
  });
}

/** Reads Mul: of maps, of a map and a gate, or by a number; the two forms of swish with it. */
export function readMul(at: GraphReader): void {
  const [first, second] = [at.value(0), at.value(1)];
  if (first.constant && second.constant) {
    return at.give(folded(first, second, (a, b) => a * b));
  }
  if (first.constant || second.constant) {
    const [value, factor] = first.constant
      ? [second as Computed, first]
      : [first, second as Constant];
    return scale(at, value, perChannel(factor, value));
  }
  if (first.node === second.node) {
    const one = [first, second].find(({ pending }) =>
      pending?.kind === "shifted6"
    );
    if (one) return at.give(at.pend(one, { kind: "hardSwish6" }));
  }
  const swish = swishOf(at, 0, 1) ?? swishOf(at, 1, 0);
  if (swish) return at.give(swish);
  at.give(at.append({ kind: "multiply" }, [at.map(0), at.map(1)]));
}

/** Reads Div by a number. */
export function readDiv(at: GraphReader): void {
  const [first, second] = [at.value(0), at.value(1)];
  if (first.constant && second.constant) {
    const whole = first.integer && second.integer;
    return at.give(
      folded(first, second, (a, b) => whole ? Math.trunc(a / b) : a / b),
    );
  }
  if (first.constant || !second.constant) {
    throw new Unreadable("it divides by a map");
  }
  const factors = perChannel(second, first).map((value) => 1 / value);
  scale(at, first, factors);
}

/** Reads Concat: of maps along channels, or of shapes. */
export function readConcat(at: GraphReader): void {
  const values = at.current.inputs.map((_, i) => at.value(i));
  if (values.every((value) => value.constant)) {
    const numbers = values.flatMap((value) => value.numbers());
    return at.give(constantOf(numbers));
  }
  const axis = at.number("axis", 1);
  const last = values.every((value) => !value.constant && value.last);
  const maps = values.map((value, i) =>
    last ? at.settled(first(value as Computed)) : at.map(i)
  );
  const rank = maps[0]!.shape.length + 1;
  if ((axis < 0 ? axis + rank : axis) !== (last ? rank - 1 : 1)) {
    throw new Unreadable(`its axis is ${axis}, expected channels`);
  }
  const joined = at.append({ kind: "concatenate" }, maps);
  at.give(last ? { ...joined, last } : joined);
}

/** x times its own sigmoid, or its own hard sigmoid. */
function swishOf(
  at: GraphReader,
  x: number,
  gate: number,
): Computed | undefined {
  const [value, factor] = [at.computed(x), at.computed(gate)];
  if (value.pending || factor.pending) return undefined;
  const layer = at.layerOf(factor);
  const reads = at.nodes[factor.node]?.inputs[0];
  if (reads !== value.node) return undefined;
  // The sigmoid itself is left aside; nothing reads it then.
  if (layer?.kind === "sigmoid") return at.append(activation("silu"), [value]);
  return layer?.kind === "hardSigmoid"
    ? at.append(activation("hardSwish"), [value])
    : undefined;
}

/** A bias becomes that of the layer before, if nothing else reads it. */
function addConstant(at: GraphReader, x: number, constant: number): void {
  const value = at.computed(x);
  const shift = perChannel(at.constant(constant), value);
  const layer = at.layerOf(value);
  const { name } = at.nodes[value.node] ?? {};
  const bias = {
    shape: [value.shape[0]!],
    data: Float32Array.from(
      { length: value.shape[0]! },
      (_, i) => shift[i % shift.length]!,
    ),
  };
  const owns = at.isOnlyUse(x) && value.pending === undefined &&
    (layer?.kind === "linear" || layer?.kind === "conv2d") && !layer.bias;
  if (!owns) return scaleAndShift(at, value, { scale: [1], shift });
  at.replace(
    value,
    layer.kind === "linear"
      ? linear(layer.inputFeatures, layer.outputFeatures)
      : conv2d(layer.inputChannels, layer.outputChannels, {
        ...layer,
        bias: true,
      }),
  );
  at.state.set(`${name}.bias`, bias);
  at.give(value);
}

function scale(
  at: GraphReader,
  value: Computed,
  factors: readonly number[],
): void {
  const [factor] = factors;
  const sixth = factors.length === 1 && Math.abs(factor! - 1 / 6) < 1e-6;
  const { pending, ...plain } = value;
  if (sixth && pending?.kind === "shifted6") {
    return at.give(at.append(activation("hardSigmoid"), [plain]));
  }
  if (sixth && pending?.kind === "hardSwish6") {
    return at.give(at.append(activation("hardSwish"), [plain]));
  }
  scaleAndShift(at, value, { scale: factors, shift: [0] });
}

/** Leaves one number pending; numbers of each channel become a layer. */
function scaleAndShift(
  at: GraphReader,
  value: Computed,
  { scale, shift }: { scale: readonly number[]; shift: readonly number[] },
): void {
  if (scale.length > 1 || shift.length > 1) {
    return at.give(at.perChannel(at.settled(value), { scale, shift }));
  }
  const before = value.pending?.kind === "affine"
    ? value.pending
    : { scale: 1, shift: 0 };
  const from = value.pending?.kind === "affine" ? value : at.settled(value);
  at.give(at.pend(from, {
    kind: "affine",
    scale: before.scale * scale[0]!,
    shift: before.shift * scale[0]! + shift[0]!,
  }));
}

/** A constant's numbers: one, or one a channel of `value`. */
function perChannel(constant: Constant, value: Computed): readonly number[] {
  const numbers = constant.numbers();
  if (numbers.length === 1) return numbers;
  const [channels] = value.shape;
  const rank = value.shape.length + 1;
  const shape = [...Array<number>(rank).fill(1), ...constant.shape]
    .slice(-rank);
  const fits = constant.shape.length <= rank &&
    shape.every((size, axis) => size === (axis === 1 ? channels : 1));
  if (fits) return numbers;
  throw new Unreadable(
    `its constant is [${constant.shape.join(", ")}], expected one number, or ` +
      `one for each of ${channels} channels`,
  );
}

function folded(
  first: Constant,
  second: Constant,
  combine: (a: number, b: number) => number,
): Constant {
  const [a, b] = [first.numbers(), second.numbers()];
  const longer = a.length >= b.length ? first : second;
  const numbers = longer.numbers().map((_, i) =>
    combine(a[i % a.length]!, b[i % b.length]!)
  );
  return constantOf(numbers, {
    shape: longer.shape,
    integer: first.integer && second.integer,
  });
}
