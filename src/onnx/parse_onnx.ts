import { GapcamError } from "../error.ts";
import { quote } from "../weights/_quote.ts";
import type { StoredTensor } from "../weights/stored_tensor.ts";
import { type OnnxTensor, parseEntry, parseTensor } from "./_parse_tensor.ts";
import { floatOf, floatsOf, integersOf, textOf, wireFields } from "./_wire.ts";

/** An attribute of an operator. */
export type OnnxAttribute =
  | number
  | string
  | readonly number[]
  | StoredTensor
  | OnnxUnread;

/** An attribute of a kind that no operator of a classifier has. */
export interface OnnxUnread {
  readonly unread: string;
}

/** One operator of an ONNX graph. */
export interface OnnxNode {
  readonly name: string;
  /** Its type, such as `Conv`; with its domain in front if that is not ONNX's own. */
  readonly operator: string;
  /** Names of values; empty where an optional one is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** A value that a graph takes or gives. */
export interface OnnxValue {
  readonly name: string;
  /** Sizes; undefined where one is free. */
  readonly shape: readonly (number | undefined)[];
}

/** An ONNX file, as it is written. */
export interface OnnxFile {
  /** Version of ONNX's own operators. */
  readonly opset: number;
  readonly producer: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  /** What must be given: inputs that are no initialisers. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** Operators of a graph, at most; the largest classifiers have some thousands. */
const NODE_LIMIT = 100_000;

/**
 * Reads what an ONNX file says, without copying its weights: those that do not
 * lie on a multiple of four bytes are moved there within `bytes`.
 *
 * @param bytes The whole file, which belongs to the result from then on.
 * @throws {GapcamError} If it is no ONNX file, or damaged; the message does not
 * name the file.
 */
export function parseOnnx(bytes: Uint8Array): OnnxFile {
  let graph: Uint8Array | undefined;
  let opset = 0;
  let producer = "";
  const metadata: Record<string, string> = Object.create(null);
  for (const part of wireFields(bytes)) {
    if (part.field === 2) producer = textOf(part);
    else if (part.field === 7) graph = part.bytes;
    else if (part.field === 8) {
      const { domain, version } = parseOpset(part.bytes);
      if (domain === "" || domain === "ai.onnx") opset = version;
    } else if (part.field === 14) {
      const [key, value] = parseEntry(part.bytes);
      metadata[key] = value;
    }
  }
  if (!graph || opset === 0) {
    throw new GapcamError(
      "bad-data",
      "it is no ONNX file: found no graph with a version of its operators",
    );
  }
  return { opset, producer, metadata, ...parseGraph(graph) };
}

function parseGraph(
  bytes: Uint8Array,
): Pick<OnnxFile, "nodes" | "initializers" | "inputs" | "outputs"> {
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  for (const part of wireFields(bytes)) {
    switch (part.field) {
      case 1:
        if (nodes.length === NODE_LIMIT) {
          throw new GapcamError(
            "bad-data",
            `its graph has more than ${NODE_LIMIT} operators`,
          );
        }
        nodes.push(parseNode(part.bytes));
        break;
      case 5: {
        const { name, tensor } = parseTensor(part.bytes);
        if (initializers.has(name)) {
          throw new GapcamError(
            "bad-data",
            `two of its tensors are called ${quote(name)}`,
          );
        }
        initializers.set(name, tensor);
        break;
      }
      case 11:
        inputs.push(parseValue(part.bytes));
        break;
      case 12:
        outputs.push(parseValue(part.bytes));
        break;
      case 15:
        throw new GapcamError("unsupported", "it has sparse tensors");
    }
  }
  return {
    nodes,
    initializers,
    // Older files list the weights among the inputs as well.
    inputs: inputs.filter(({ name }) => !initializers.has(name)),
    outputs,
  };
}

function parseNode(bytes: Uint8Array): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxAttribute>();
  let [name, operator, domain] = ["", "", ""];
  for (const part of wireFields(bytes)) {
    if (part.field === 1) inputs.push(textOf(part));
    else if (part.field === 2) outputs.push(textOf(part));
    else if (part.field === 3) name = textOf(part);
    else if (part.field === 4) operator = textOf(part);
    else if (part.field === 5) {
      const [key, value] = parseAttribute(part.bytes);
      attributes.set(key, value);
    } else if (part.field === 7) domain = textOf(part);
  }
  return {
    name: name || outputs[0] || operator,
    operator: domain === "" || domain === "ai.onnx"
      ? operator
      : `${domain}::${operator}`,
    inputs,
    outputs,
    attributes,
  };
}

function parseAttribute(bytes: Uint8Array): [string, OnnxAttribute] {
  let name = "";
  let value: OnnxAttribute = { unread: "nothing" };
  const list: number[] = [];
  let isList = false;
  for (const part of wireFields(bytes)) {
    switch (part.field) {
      case 1:
        name = textOf(part);
        break;
      case 2:
        value = floatOf(part);
        break;
      case 3:
        value = part.value;
        break;
      case 4:
        value = textOf(part);
        break;
      case 5: {
        const { tensor } = parseTensor(part.bytes);
        value = "external" in tensor ? { unread: "external data" } : tensor;
        break;
      }
      case 7:
        isList = true;
        for (const number of floatsOf(part)) list.push(number);
        break;
      case 8:
        isList = true;
        for (const number of integersOf(part)) list.push(number);
        break;
      case 20:
        // A list may be empty, and only its type says so.
        isList ||= part.value === 6 || part.value === 7;
        break;
      case 6:
      case 9:
      case 10:
      case 11:
      case 21:
        value = { unread: "a graph, a list of texts or of tensors" };
        break;
    }
  }
  return [name, isList ? list : value];
}

function parseValue(bytes: Uint8Array): OnnxValue {
  let name = "";
  let shape: (number | undefined)[] = [];
  for (const part of wireFields(bytes)) {
    if (part.field === 1) name = textOf(part);
    else if (part.field === 2) shape = shapeOfType(part.bytes);
  }
  return { name, shape };
}

function shapeOfType(bytes: Uint8Array): (number | undefined)[] {
  const sizes: (number | undefined)[] = [];
  for (const type of wireFields(bytes)) {
    if (type.field !== 1) continue;
    for (const tensor of wireFields(type.bytes)) {
      if (tensor.field !== 2) continue;
      for (const dimension of wireFields(tensor.bytes)) {
        if (dimension.field !== 1) continue;
        let size: number | undefined;
        for (const part of wireFields(dimension.bytes)) {
          if (part.field === 1 && part.value > 0) size = part.value;
        }
        sizes.push(size);
      }
    }
  }
  return sizes;
}

function parseOpset(bytes: Uint8Array): { domain: string; version: number } {
  let domain = "";
  let version = 0;
  for (const part of wireFields(bytes)) {
    if (part.field === 1) domain = textOf(part);
    else if (part.field === 2) version = part.value;
  }
  return { domain, version };
}
