/**
 * ONNX files, damaged as bytes and as the messages that they are.
 *
 * @module
 */

import { GapcamError } from "../../src/error.ts";
import { type WireField, wireFields } from "../../src/onnx/_wire.ts";
import { importOnnx } from "../../src/onnx/import_onnx.ts";
import { parseOnnx } from "../../src/onnx/parse_onnx.ts";
import type { Random } from "../../src/random.ts";
import type { StoredTensor } from "../../src/weights/stored_tensor.ts";
import type { FuzzTarget } from "./run_target.ts";

const FOLDER = new URL("../../tests/fixtures/onnx/", import.meta.url);

/** Small networks of both of PyTorch's exporters, and of Keras. */
export const ONNX_TARGET: FuzzTarget = {
  name: "onnx",
  seeds: () =>
    [
      ...["residual", "squeeze", "shuffle"].flatMap((name) =>
        ["dynamo", "torchscript"].map((exporter) => `${name}.${exporter}.onnx`)
      ),
      "keras.onnx",
    ].map((name) => Deno.readFileSync(new URL(name, FOLDER))),
  parse: (bytes) => {
    try {
      const file = parseOnnx(bytes.slice());
      const weights = new Map<string, StoredTensor>();
      for (const [name, tensor] of file.initializers) {
        if (!("external" in tensor)) weights.set(name, tensor);
      }
      importOnnx(file, weights);
    } catch (error) {
      if (!(error instanceof GapcamError)) throw error;
      throw new GapcamError(error.code, `Cannot read bytes: ${error.message}`);
    }
  },
  vary,
};

/** Fields that are messages themselves, by the way there: a graph, its nodes, their attributes. */
const INSIDE: Readonly<Record<string, readonly number[]>> = {
  "": [7, 8, 14],
  "7": [1, 5, 11, 12],
  "7.1": [5],
  "7.1.5": [5],
  "7.11": [2],
  "7.12": [2],
  "7.11.2": [1],
  "7.11.2.1": [2],
  "7.11.2.1.2": [1],
};

/** Changes one field somewhere and sets all lengths right. */
function vary(bytes: Uint8Array, random: Random, path = ""): Uint8Array {
  const fields = [...wireFields(bytes)];
  const inner = fields.filter(({ field, type }) =>
    type === 2 && INSIDE[path]?.includes(field)
  );
  const chosen = inner[random.integer(Math.max(1, inner.length))];
  if (chosen && random.integer(6) > 0) {
    const below = path === "" ? `${chosen.field}` : `${path}.${chosen.field}`;
    const changed = vary(chosen.bytes, random, below);
    return encode(
      fields.map((one) => one === chosen ? { ...one, bytes: changed } : one),
    );
  }
  if (fields.length === 0) return bytes;
  const at = random.integer(fields.length);
  const other = fields[random.integer(fields.length)]!;
  const one = fields[at]!;
  switch (random.integer(6)) {
    case 0:
      fields.splice(at, 1);
      break;
    case 1:
      fields.splice(random.integer(fields.length), 0, one);
      break;
    case 2:
      fields[at] = { ...other, field: one.field };
      break;
    case 3:
      fields[at] = { ...one, field: 1 + random.integer(20) };
      break;
    default:
      fields[at] = one.type === 0
        ? { ...one, value: NUMBERS[random.integer(NUMBERS.length)]! }
        : { ...one, bytes: changedBytes(one.bytes, random) };
  }
  return encode(fields);
}

const NUMBERS = [0, 1, 2, 3, 7, 16, 255, 65536, 2 ** 31, 2 ** 40, 2 ** 53, -1];

function changedBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const changed = bytes.slice();
  if (changed.length === 0) return Uint8Array.of(random.integer(256));
  changed[random.integer(changed.length)] = random.integer(256);
  return random.integer(4) === 0
    ? changed.subarray(0, random.integer(changed.length))
    : changed;
}

function encode(fields: readonly WireField[]): Uint8Array {
  const parts: number[] = [];
  const varint = (value: number) => {
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      parts.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    parts.push(Number(rest));
  };
  const chunks: Uint8Array[] = [];
  for (const { field, type, value, bytes } of fields) {
    varint(8 * field + type);
    if (type === 0) varint(value);
    else if (type === 2) varint(bytes.length);
    chunks.push(Uint8Array.from(parts.splice(0)), bytes);
  }
  const result = new Uint8Array(
    chunks.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const chunk of chunks) {
    result.set(chunk, at);
    at += chunk.length;
  }
  return result;
}
