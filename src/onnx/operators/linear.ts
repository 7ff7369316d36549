import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import type { HostTensor } from "../../host_tensor.ts";
import { type Linear, linear } from "../../nn/layers/linear.ts";
import { integer, operator, type OperatorWriter } from "./_operator.ts";

/** A fully connected layer is Gemm with its weight transposed. */
export const writeLinear: OperatorWriter<Linear> = (layer, at) => [
  operator("Gemm", at, {
    parameters: layer.bias ? ["weight", "bias"] : ["weight"],
    attributes: [integer("transB", 1)],
  }),
];

/** Reads Gemm. */
export function readGemm(at: GraphReader): void {
  if (at.flag("transA")) {
    throw new Unreadable("it transposes what it is given");
  }
  const weight = at.weight(1);
  connect(at, {
    weight: at.flag("transB") ? weight : transposed(weight),
    factor: at.number("alpha", 1),
    bias: at.has(2) ? at.weight(2) : undefined,
    biasFactor: at.number("beta", 1),
  });
}

/** Reads MatMul by a constant. */
export function readMatMul(at: GraphReader): void {
  connect(at, { weight: transposed(at.weight(1)), factor: 1, biasFactor: 1 });
}

function connect(
  at: GraphReader,
  parts: {
    weight: HostTensor;
    factor: number;
    bias?: HostTensor | undefined;
    biasFactor: number;
  },
): void {
  const input = at.map(0);
  const { weight, factor, bias, biasFactor } = parts;
  const [outputs, inputs] = weight.shape;
  if (weight.shape.length !== 2) {
    throw new Unreadable(`its weight is [${weight.shape.join(", ")}]`);
  }
  const layer = linear(inputs!, outputs!, { bias: bias !== undefined });
  at.give(at.append(layer, [input], {
    weight: { shape: weight.shape, data: times(weight.data, factor) },
    ...(bias
      ? {
        bias: {
          shape: [outputs!],
          data: spread(times(bias.data, biasFactor), outputs!),
        },
      }
      : {}),
  }));
}

function times(data: Float32Array, factor: number): Float32Array {
  return factor === 1 ? data : data.map((value) => factor * value);
}

function spread(data: Float32Array, length: number): Float32Array {
  if (data.length === length) return data;
  if (data.length === 1) return new Float32Array(length).fill(data[0]!);
  throw new Unreadable(
    `its bias has ${data.length} values, expected ${length}`,
  );
}

function transposed({ shape, data }: HostTensor): HostTensor {
  const [rows, columns] = shape as [number, number];
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = data[row * columns + column]!;
    }
  }
  return { shape: [columns, rows], data: result };
}
