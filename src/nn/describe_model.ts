import { elementCount } from "../host_tensor.ts";
import type { Model } from "./graph_of.ts";
import { kindOf, type NodeLayer } from "./layers/_kinds.ts";
import { shapesOf } from "./output_shapes.ts";
import { type Parameter, parametersOf } from "./parameters.ts";

/** One layer of a model, in numbers. Plain data, for JSON too. */
export interface DescribedLayer {
  /** PyTorch's name of the module, such as `features.0`. */
  name: string;
  /** What it does, such as `conv2d`. */
  kind: NodeLayer["kind"];
  /** The layer itself. */
  layer: NodeLayer;
  /** Numbers of the layers whose outputs it reads; -1 is the image. */
  inputs: number[];
  /** [channels, height, width] of its output, or [features]. */
  outputShape: number[];
  /** Shapes of its tensors, in PyTorch's order. */
  tensors: number[][];
  /** Numbers that training changes. */
  parameters: number;
  /** Numbers in all its tensors: running statistics too. */
  elements: number;
  /** Multiplications, each with an addition, for one image. */
  multiplyAdds: number;
}

/** A model in numbers; see {@linkcode describeModel}. */
export interface ModelDescription {
  /** [channels, height, width] of an image. */
  inputShape: [number, number, number];
  /** Its layers, each after those that it reads. */
  layers: DescribedLayer[];
  /** The number of the layer whose output is the model's. */
  output: number;
  /** Tensors that training changes. */
  tensors: number;
  /** Numbers in them. */
  parameters: number;
  /** Multiplications, each with an addition, for one image. */
  multiplyAdds: number;
}

/**
 * Says of each layer of a model what it makes, how many parameters it has and
 * what it costs. The cost is that of convolutions and linear layers, as it is
 * published of networks; all else costs little to compute.
 *
 * @param model Any layer, or a graph.
 * @param inputShape [channels, height, width] of an image.
 * @throws {GapcamError} If a layer does not fit what comes before it.
 *
 * @example A convolution of 9 * 3 multiplications for each of 8 * 32 * 32 values
 * ```ts
 * import { conv2d, describeModel } from "@gapcam/gapcam";
 *
 * const { multiplyAdds, parameters } = describeModel(
 *   conv2d(3, 8, { padding: 1 }),
 *   [3, 32, 32],
 * );
 * if (multiplyAdds !== 9 * 3 * 8 * 32 * 32) throw new Error("unexpected");
 * if (parameters !== 9 * 3 * 8 + 8) throw new Error("unexpected");
 * ```
 */
export function describeModel(
  model: Model,
  inputShape: readonly [number, number, number],
): ModelDescription {
  const own = Map.groupBy(
    parametersOf(model),
    ({ name }) => name.slice(0, Math.max(name.lastIndexOf("."), 0)),
  );
  const nodes = shapesOf(model, inputShape);
  const layers = nodes.map(
    ({ name, layer, inputs, outputShape }): DescribedLayer => {
      const parameters = own.get(name) ?? [];
      const each = kindOf(layer).multiplyAdds?.(layer) ?? 0;
      return {
        ...{ name, kind: layer.kind, layer, inputs: [...inputs] },
        outputShape: [...outputShape],
        tensors: parameters.map(({ shape }) => [...shape]),
        parameters: countOf(parameters.filter(({ trainable }) => trainable)),
        elements: countOf(parameters),
        multiplyAdds: each * elementCount(outputShape),
      };
    },
  );
  const total = (of: (layer: DescribedLayer) => number) =>
    layers.reduce((sum, layer) => sum + of(layer), 0);
  return {
    inputShape: [...inputShape],
    layers,
    output: "nodes" in model ? model.output : layers.length - 1,
    tensors: [...own.values()].flat().filter((one) => one.trainable).length,
    parameters: total(({ parameters }) => parameters),
    multiplyAdds: total(({ multiplyAdds }) => multiplyAdds),
  };
}

function countOf(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}
