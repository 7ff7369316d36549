import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import {
  type Activation,
  activation,
  type ActivationName,
  type Clip,
  clip,
  type LeakyRelu,
  leakyRelu,
} from "../../nn/layers/activation.ts";
import {
  constant,
  float,
  operator,
  type OperatorAt,
  type OperatorWriter,
} from "./_operator.ts";

/** A leaky ReLU is Relu at slope 0, else LeakyRelu. */
export const writeLeakyRelu: OperatorWriter<LeakyRelu> = (layer, at) => [
  layer.negativeSlope === 0 ? operator("Relu", at) : operator("LeakyRelu", at, {
    attributes: [float("alpha", layer.negativeSlope)],
  }),
];

/** A clip is Clip, with its bounds as constants. */
export const writeClip: OperatorWriter<Clip> = (layer, at) => {
  const bounds = ["minimum", "maximum"] as const;
  return [
    ...bounds.map((bound) => constant(`${at.name}.${bound}`, layer[bound])),
    operator("Clip", {
      ...at,
      inputs: [...at.inputs, ...bounds.map((bound) => `${at.name}.${bound}`)],
    }),
  ];
};

/** Activations that are one formula. */
export const writeActivation: OperatorWriter<Activation> = (layer, at) => {
  const formulas: Record<ActivationName, () => ReturnType<typeof operator>[]> =
    {
      sigmoid: () => [operator("Sigmoid", at)],
      silu: () => {
        const gate = `${at.name}.gate`;
        return [
          operator("Sigmoid", { ...at, name: gate, output: gate }),
          operator("Mul", { ...at, inputs: [...at.inputs, gate] }),
        ];
      },
      hardSigmoid: () => [
        operator("HardSigmoid", at, {
          attributes: [float("alpha", 1 / 6), float("beta", 0.5)],
        }),
      ],
      hardSwish: () => [operator("HardSwish", at)],
      gelu: () => gelu(at),
    };
  return formulas[layer.kind]();
};

/** x / 2 * (1 + erf(x / sqrt 2)): Gelu is an operator of its own from opset 20 on. */
function gelu(at: OperatorAt): ReturnType<typeof operator>[] {
  const [input] = at.inputs as [string];
  const name = (part: string) => `${at.name}.${part}`;
  const step = (type: string, output: string, ...inputs: string[]) =>
    operator(type, { name: output, inputs, output });
  return [
    constant(name("root"), Math.SQRT2),
    constant(name("one"), 1),
    constant(name("half"), 0.5),
    step("Div", name("scaled"), input, name("root")),
    step("Erf", name("erf"), name("scaled")),
    step("Add", name("sum"), name("erf"), name("one")),
    step("Mul", name("product"), input, name("sum")),
    operator("Mul", { ...at, inputs: [name("product"), name("half")] }),
  ];
}

/** Reads Relu. */
export function readRelu(at: GraphReader): void {
  at.give(at.append(leakyRelu(0), [at.map(0)]));
}

/** Reads LeakyRelu. */
export function readLeakyRelu(at: GraphReader): void {
  at.give(at.append(leakyRelu(at.number("alpha", 0.01)), [at.map(0)]));
}

/** Reads PRelu, if all channels have one slope. */
export function readPRelu(at: GraphReader): void {
  const [slope, ...rest] = at.constant(1).numbers();
  if (slope === undefined || rest.some((other) => other !== slope)) {
    throw new Unreadable("its channels have slopes of their own");
  }
  at.give(at.append(leakyRelu(slope), [at.map(0)]));
}

/** Reads Clip: bounds are attributes before opset 11, inputs since. */
export function readClip(at: GraphReader): void {
  const bound = (name: string, position: number, fallback: number) =>
    at.has(position)
      ? at.constant(position).numbers()[0]!
      : at.number(name, fallback);
  const minimum = bound("min", 1, -Infinity);
  const maximum = bound("max", 2, Infinity);
  const input = at.computed(0);
  const { pending } = input;
  if (
    pending?.kind === "affine" && pending.scale === 1 && pending.shift === 3 &&
    minimum === 0 && maximum === 6
  ) return at.give(at.pend(input, { kind: "shifted6" }));
  const map = at.map(0);
  if (minimum === -Infinity && maximum >= LARGEST) return at.give(map);
  at.give(at.append(
    minimum === 0 && maximum >= LARGEST
      ? leakyRelu(0)
      : clip(Math.max(minimum, -LARGEST), Math.min(maximum, LARGEST)),
    [map],
  ));
}

/** Reads HardSigmoid in the form that PyTorch and MobileNet have. */
export function readHardSigmoid(at: GraphReader): void {
  const [alpha, beta] = [at.number("alpha", 0.2), at.number("beta", 0.5)];
  if (Math.abs(alpha - 1 / 6) > 1e-6 || beta !== 0.5) {
    throw new Unreadable(
      `its alpha is ${alpha} and its beta ${beta}, expected 1/6 and 0.5`,
    );
  }
  at.give(at.append(activation("hardSigmoid"), [at.map(0)]));
}

/** Reads HardSwish. */
export function readHardSwish(at: GraphReader): void {
  at.give(at.append(activation("hardSwish"), [at.map(0)]));
}

/** Reads Gelu with the error function. */
export function readGelu(at: GraphReader): void {
  if (at.text("approximate", "none") !== "none") {
    throw new Unreadable("it approximates the error function");
  }
  at.give(at.append(activation("gelu"), [at.map(0)]));
}

/** Reads Sigmoid; as a file's last operator it is noted and left out. */
export function readSigmoid(at: GraphReader): void {
  if (at.isLast) return leaveOut(at, "a final Sigmoid");
  at.give(at.append(activation("sigmoid"), [at.map(0)]));
}

/** Reads Softmax and LogSoftmax, which may only end a file. */
export function readSoftmax(at: GraphReader): void {
  if (!at.isLast) throw new Unreadable("it is not the last");
  const axis = at.number("axis", -1);
  if (axis !== 1 && axis !== -1) {
    throw new Unreadable(`its axis is ${axis}, expected that of the classes`);
  }
  leaveOut(at, `a final ${at.current.operator}`);
}

function leaveOut(at: GraphReader, what: string): void {
  at.notes.push(`${what} is left out: logits are what stands before it`);
  at.give(at.map(0));
}

/** The greatest 32-bit float: what a bound that bounds nothing is written as. */
const LARGEST = 3.4028234663852886e38;
