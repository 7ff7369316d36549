import { GapcamError } from "../error.ts";
import { flatten, type Layer, type NamedLayer } from "../nn/layers.ts";
import { parametersOf } from "../nn/parameters.ts";
import { concatenate } from "./_concatenate.ts";
import { ProtoMessage } from "./_protobuf.ts";
import { quote, shapeText } from "./_quote.ts";
import { storedTensor } from "./_stored.ts";
import { writeAtomically } from "./_write_atomically.ts";
import type { StateDict } from "./state_dict.ts";

/** Options of {@linkcode writeOnnx}. */
export interface OnnxOptions {
  /** Height and width that the model takes. Default: any. */
  imageSize?: { height: number; width: number };
  /** Mean of each channel, of pixels scaled to [0, 1]; kept as metadata. */
  mean?: readonly number[];
  /** Standard deviation of each channel; kept as metadata. */
  deviation?: readonly number[];
  /** Class names, in the order of logits; kept as metadata. */
  classes?: readonly string[];
}

/** Version of ONNX's operators; 17 is from 2022. */
const OPSET = 17;
/** Version of the file format that came with that opset. */
const IR_VERSION = 8;
/** Protobuf messages end here. */
const LENGTH_LIMIT = 2 ** 31 - 1;

const FLOAT = 1;
const ATTRIBUTE = { float: 1, integer: 2, integers: 7 };

/**
 * Writes a model as an ONNX file, atomically; see {@linkcode encodeOnnx}.
 *
 * @param path The file to write, usually `.onnx`.
 * @param model The model.
 * @param state Its parameters and running statistics.
 * @param options Sizes and metadata.
 * @throws {GapcamError} As {@linkcode encodeOnnx}, or if the file cannot be written.
 *
 * @example
 * ```ts
 * import { initialise, vgg, writeOnnx } from "@gapcam/gapcam";
 *
 * const model = vgg([4, "M", 8], { classes: 2 });
 * const path = await Deno.makeTempFile({ suffix: ".onnx" });
 * await writeOnnx(path, model, initialise(model, 0));
 * if ((await Deno.stat(path)).size < 1000) throw new Error();
 * await Deno.remove(path);
 * ```
 */
export async function writeOnnx(
  path: string,
  model: Layer,
  state: StateDict,
  options: OnnxOptions = {},
): Promise<void> {
  await writeAtomically(path, layOut(model, state, options));
}

/**
 * Gives a model as ONNX (opset 17), for any runtime of that format.
 *
 * The input `image`, [N, C, H, W], holds pixels that are already normalised:
 * (x / 255 - mean) / deviation; both are kept in the metadata, as JSON under
 * `mean`, `deviation` and `classes`. The outputs are `logits`, [N, classes], and
 * `features`, [N, K, h, w], the map before global average pooling, from which
 * class activation maps come. N is free.
 *
 * @param model A model with one global average pooling.
 * @param state Its parameters and running statistics.
 * @param options Sizes and metadata.
 * @returns A whole ONNX file.
 * @throws {GapcamError} If a parameter is missing or of another shape, there is
 * not one global average pooling behind a layer, or the file would exceed 2 GiB.
 *
 * @example
 * ```ts
 * import { encodeOnnx, initialise, vgg } from "@gapcam/gapcam";
 *
 * const model = vgg([4, "M", 8], { classes: 2 });
 * const bytes = encodeOnnx(model, initialise(model, 0), {
 *   classes: ["cat", "dog"],
 * });
 * if (bytes.length < 1000) throw new Error();
 * ```
 */
export function encodeOnnx(
  model: Layer,
  state: StateDict,
  options: OnnxOptions = {},
): Uint8Array<ArrayBuffer> {
  return concatenate(layOut(model, state, options));
}

function layOut(
  model: Layer,
  state: StateDict,
  options: OnnxOptions,
): readonly Uint8Array[] {
  const layers = flatten(model);
  const pools = layers.filter(({ layer }) =>
    layer.kind === "globalAveragePool"
  );
  if (pools.length !== 1 || layers[0] === pools[0]) {
    throw new GapcamError(
      "unsupported",
      "Cannot export as ONNX: class activation maps need one global average " +
        `pooling behind the trunk, found ${pools.length}` +
        (layers[0] === pools[0] ? " as the first layer" : ""),
    );
  }
  const message = new ProtoMessage()
    .integer(1, IR_VERSION)
    .text(2, "gapcam")
    .message(7, graph(model, layers, { state, options }))
    .message(8, new ProtoMessage().text(1, "").integer(2, OPSET));
  const metadata = {
    mean: options.mean,
    deviation: options.deviation,
    classes: options.classes,
  };
  for (const [key, value] of Object.entries(metadata)) {
    if (value === undefined) continue;
    message.message(
      14,
      new ProtoMessage().text(1, key).text(2, JSON.stringify(value)),
    );
  }
  if (message.length > LENGTH_LIMIT) {
    throw new GapcamError(
      "unsupported",
      `Cannot export as ONNX: the model takes ${message.length} bytes, ` +
        "expected less than 2 GiB",
    );
  }
  return message.pieces;
}

function graph(
  model: Layer,
  layers: readonly NamedLayer[],
  { state, options }: { state: StateDict; options: OnnxOptions },
): ProtoMessage {
  const message = new ProtoMessage();
  let current = "image";
  layers.forEach((named, i) => {
    const output = i === layers.length - 1
      ? "logits"
      : layers[i + 1]!.layer.kind === "globalAveragePool"
      ? "features"
      : `${named.name}.output`;
    for (const one of nodes(named, current, output)) message.message(1, one);
    current = output;
  });
  message.text(2, "gapcam");
  for (const { name, shape } of parametersOf(model)) {
    message.message(5, initializer(name, shape, state));
  }
  const size = options.imageSize;
  return message
    .message(
      11,
      valueInfo("image", [
        "batch",
        inputChannels(layers),
        size?.height ?? "height",
        size?.width ?? "width",
      ]),
    )
    .message(12, valueInfo("logits", ["batch", outputFeatures(layers)]))
    .message(
      12,
      valueInfo("features", [
        "batch",
        featureChannels(layers),
        "rows",
        "columns",
      ]),
    );
}

/** The operators of one layer. */
function nodes(
  { name, layer }: NamedLayer,
  input: string,
  output: string,
): ProtoMessage[] {
  const parameters = (...kinds: string[]) =>
    kinds.map((kind) => `${name}.${kind}`);
  switch (layer.kind) {
    case "conv2d":
      return [node("Conv", {
        name,
        inputs: [
          input,
          ...parameters("weight", ...(layer.bias ? ["bias"] : [])),
        ],
        output,
        attributes: [
          integers("kernel_shape", layer.kernelSize),
          integers("strides", layer.stride),
          integers("pads", [...layer.padding, ...layer.padding]),
        ],
      })];
    case "batchNorm2d":
      return [node("BatchNormalization", {
        name,
        inputs: [
          input,
          ...parameters("weight", "bias", "running_mean", "running_var"),
        ],
        output,
        attributes: [float("epsilon", layer.epsilon)],
      })];
    case "leakyRelu":
      return [
        layer.negativeSlope === 0
          ? node("Relu", { name, inputs: [input], output })
          : node("LeakyRelu", {
            name,
            inputs: [input],
            output,
            attributes: [float("alpha", layer.negativeSlope)],
          }),
      ];
    case "maxPool2d":
      return [node("MaxPool", {
        name,
        inputs: [input],
        output,
        attributes: [
          integers("kernel_shape", layer.kernelSize),
          integers("strides", layer.stride),
          integers("pads", [...layer.padding, ...layer.padding]),
        ],
      })];
    case "globalAveragePool": {
      const pooled = `${name}.pooled`;
      return [
        node("GlobalAveragePool", { name, inputs: [input], output: pooled }),
        node("Flatten", {
          name: `${name}.flatten`,
          inputs: [pooled],
          output,
          attributes: [integer("axis", 1)],
        }),
      ];
    }
    case "linear":
      return [node("Gemm", {
        name,
        inputs: [
          input,
          ...parameters("weight", ...(layer.bias ? ["bias"] : [])),
        ],
        output,
        attributes: [integer("transB", 1)],
      })];
  }
}

function node(
  operator: string,
  parts: {
    name: string;
    inputs: readonly string[];
    output: string;
    attributes?: readonly ProtoMessage[];
  },
): ProtoMessage {
  const message = new ProtoMessage()
    .texts(1, parts.inputs)
    .text(2, parts.output)
    .text(3, parts.name)
    .text(4, operator);
  for (const attribute of parts.attributes ?? []) {
    message.message(5, attribute);
  }
  return message;
}

function float(name: string, value: number): ProtoMessage {
  return new ProtoMessage().text(1, name).float(2, value)
    .integer(20, ATTRIBUTE.float);
}

function integer(name: string, value: number): ProtoMessage {
  return new ProtoMessage().text(1, name).integer(3, value)
    .integer(20, ATTRIBUTE.integer);
}

function integers(name: string, values: readonly number[]): ProtoMessage {
  return new ProtoMessage().text(1, name).integers(8, values)
    .integer(20, ATTRIBUTE.integers);
}

function initializer(
  name: string,
  shape: readonly number[],
  state: StateDict,
): ProtoMessage {
  const tensor = state.get(name);
  if (!tensor || tensor.shape.join() !== shape.join()) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot export as ONNX: ${quote(name)} is ` +
        (tensor ? shapeText(tensor.shape) : "missing") +
        `, expected ${shapeText(shape)}`,
    );
  }
  return new ProtoMessage()
    .integers(1, shape)
    .integer(2, FLOAT)
    .text(8, name)
    .bytes(9, storedTensor(name, tensor).bytes);
}

/** A tensor of floats; a text stands for a size that is free. */
function valueInfo(
  name: string,
  shape: readonly (number | string)[],
): ProtoMessage {
  const dimensions = new ProtoMessage();
  for (const size of shape) {
    dimensions.message(
      1,
      typeof size === "number"
        ? new ProtoMessage().integer(1, size)
        : new ProtoMessage().text(2, size),
    );
  }
  const tensor = new ProtoMessage().integer(1, FLOAT).message(2, dimensions);
  return new ProtoMessage()
    .text(1, name)
    .message(2, new ProtoMessage().message(1, tensor));
}

function inputChannels(layers: readonly NamedLayer[]): number | string {
  for (const { layer } of layers) {
    if (layer.kind === "conv2d") return layer.inputChannels;
    if (layer.kind === "batchNorm2d") return layer.channels;
  }
  return "channels";
}

function featureChannels(layers: readonly NamedLayer[]): number | string {
  const pool = layers.findIndex(({ layer }) =>
    layer.kind === "globalAveragePool"
  );
  for (const { layer } of layers.slice(0, pool).reverse()) {
    if (layer.kind === "conv2d") return layer.outputChannels;
  }
  return inputChannels(layers);
}

function outputFeatures(layers: readonly NamedLayer[]): number | string {
  for (const { layer } of [...layers].reverse()) {
    if (layer.kind === "linear") return layer.outputFeatures;
  }
  return featureChannels(layers);
}
