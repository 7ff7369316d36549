import { GapcamError } from "../error.ts";
import { graphOf, join, type Model, type ModelGraph } from "../nn/graph_of.ts";
import { imageChannels } from "../nn/_image_channels.ts";
import { lastMapOf } from "../nn/classifier_of.ts";
import { parametersOf } from "../nn/parameters.ts";
import { shapesOf } from "../nn/output_shapes.ts";
import type { Preprocessing } from "../image/preprocessing.ts";
import { concatenate } from "../weights/_concatenate.ts";
import { quote, shapeText } from "../weights/_quote.ts";
import { storedTensor } from "../weights/_stored.ts";
import { writeAtomically } from "../_write_atomically.ts";
import type { StateDict } from "../host_tensor.ts";
import { ProtoMessage } from "../_protobuf.ts";
import { operatorsOf } from "./operators/_operators.ts";

/** Options of {@linkcode writeOnnx}. */
export interface OnnxOptions {
  /** Height and width that the model takes. Default: any. */
  imageSize?: { height: number; width: number };
  /** What the network expects of photographs; kept as metadata. */
  preprocessing?: Preprocessing;
  /** Class names, in the order of logits; kept as metadata. */
  classes?: readonly string[];
}

/** Version of ONNX's operators; 17 is from 2022. */
const OPSET = 17;
/** Version of the file format that came with that opset. */
const IR_VERSION = 8;
/** Larger than the windows of any model. */
const ANY_SIZE = 2 ** 14;
/** Protobuf messages end here. */
const LENGTH_LIMIT = 2 ** 31 - 1;

const FLOAT = 1;

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
  model: Model,
  state: StateDict,
  options: OnnxOptions = {},
): Promise<void> {
  await writeAtomically(path, layOut(model, state, options));
}

/**
 * Gives a model as ONNX (opset 17), for any runtime of that format.
 *
 * The input `image`, [N, C, H, W], holds pixels that are already normalised:
 * (x / 255 - mean) / deviation; what else the network expects is kept in the
 * metadata too, as JSON under `imageSize`, `interpolation`, `cropShare`, `mean`,
 * `deviation` and `classes`. The outputs are `logits`, [N, classes], and
 * `features`, [N, K, h, w], the map before the last global average pooling, from
 * which class activation maps come, if there is one. N is free.
 *
 * @param model Any model.
 * @param state Its parameters and running statistics.
 * @param options Sizes and metadata.
 * @returns A whole ONNX file.
 * @throws {GapcamError} If a parameter is missing or of another shape, the model
 * does not end in one number a class, or the file would exceed 2 GiB.
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
  model: Model,
  state: StateDict,
  options: OnnxOptions = {},
): Uint8Array<ArrayBuffer> {
  return concatenate(layOut(model, state, options));
}

function layOut(
  model: Model,
  state: StateDict,
  options: OnnxOptions,
): readonly Uint8Array[] {
  const network = graphOf(model);
  const map = lastMapOf(network);
  const message = new ProtoMessage()
    .integer(1, IR_VERSION)
    .text(2, "gapcam")
    .message(7, graphMessage(network, map, { state, options }))
    .message(8, new ProtoMessage().text(1, "").integer(2, OPSET));
  const { preprocessing, classes } = options;
  const metadata = {
    ...(preprocessing ? described(preprocessing) : {}),
    classes,
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

/** What a network expects, with what was left out. */
function described(preprocessing: Preprocessing): Required<Preprocessing> {
  const { imageSize, mean, deviation } = preprocessing;
  const { interpolation = "bilinear", cropShare = 1 } = preprocessing;
  return { imageSize, interpolation, cropShare, mean, deviation };
}

function graphMessage(
  network: ModelGraph,
  map: number | undefined,
  { state, options }: { state: StateDict; options: OnnxOptions },
): ProtoMessage {
  const message = new ProtoMessage();
  const { nodes, output } = network;
  const nameOf = (number: number) => {
    if (number < 0) return "image";
    if (number === output) return "logits";
    return number === map ? "features" : join(nodes[number]!.name, "output");
  };
  nodes.forEach(({ name, layer, inputs }, number) => {
    const at = { name, inputs: inputs.map(nameOf), output: nameOf(number) };
    for (const operator of operatorsOf(layer, at)) message.message(1, operator);
  });
  message.text(2, "gapcam");
  for (const { name, shape } of parametersOf(network)) {
    message.message(5, initializer(name, shape, state));
  }
  const size = sizeOf(network, options);
  const channels = imageChannels(network);
  // Channels are the same whatever the size.
  const shaped = shapesOf(network, [
    channels ?? 1,
    size?.height ?? ANY_SIZE,
    size?.width ?? ANY_SIZE,
  ]);
  const logits = shaped[output]!.outputShape;
  if (logits.length !== 1) {
    throw new GapcamError(
      "unsupported",
      "Cannot export as ONNX: the model must end in one number a class, found " +
        `[${logits.join(", ")}]`,
    );
  }
  message
    .message(
      11,
      valueInfo("image", [
        "batch",
        channels ?? "channels",
        size?.height ?? "height",
        size?.width ?? "width",
      ]),
    )
    .message(
      12,
      valueInfo("logits", ["batch", logits[0]!]),
    );
  if (map === undefined || map < 0) return message;
  return message.message(
    12,
    valueInfo("features", [
      "batch",
      shaped[map]!.outputShape[0]!,
      "rows",
      "columns",
    ]),
  );
}

/** Height and width of the images; undefined where any will do. */
function sizeOf(
  { nodes }: ModelGraph,
  { imageSize, preprocessing }: OnnxOptions,
): { height: number; width: number } | undefined {
  if (imageSize || !preprocessing) return imageSize;
  // Linear layers behind a whole map take one size alone.
  if (!nodes.some(({ layer }) => layer.kind === "flatten")) return undefined;
  const { imageSize: side } = preprocessing;
  return { height: side, width: side };
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
