import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import type { Dropout, StochasticDepth } from "../../nn/layers/dropout.ts";
import type { Flatten } from "../../nn/layers/flatten.ts";
import { flatten } from "../../nn/layers/flatten.ts";
import { globalAveragePool } from "../../nn/layers/global_average_pool.ts";
import { channelShuffle } from "../../nn/layers/channels.ts";
import { first } from "../_layout.ts";
import { BATCH, type Computed, constantOf } from "../_values.ts";
import { integer, operator, type OperatorWriter } from "./_operator.ts";

/** Flattening is Flatten. */
export const writeFlatten: OperatorWriter<Flatten> = (_, at) => [
  operator("Flatten", at, { attributes: [integer("axis", 1)] }),
];

/** Dropout is Identity where nothing is trained. */
export const writeNothing: OperatorWriter<Dropout | StochasticDepth> = (
  _,
  at,
) => [operator("Identity", at)];

/** Reads Identity, Dropout: what comes in goes out. */
export function readIdentity(at: GraphReader): void {
  at.give(at.value(0));
}

/** ONNX's numbers of types that are floats. */
const FLOATS: readonly number[] = [1, 10, 11, 16];

/** Reads Cast, which keeps a map's values only from floats to floats. */
export function readCast(at: GraphReader): void {
  const value = at.value(0);
  const type = at.number("to", 1);
  if (!value.constant && !FLOATS.includes(type)) {
    throw new Unreadable(
      `it makes other numbers than floats (${type}) of a map`,
    );
  }
  at.give(value);
}

/** Reads Shape: the batch stays free. */
export function readShape(at: GraphReader): void {
  const value = at.value(0);
  const shape = value.constant ? value.shape : [BATCH, ...value.shape];
  const start = at.number("start", 0);
  const end = at.number("end", shape.length);
  at.give(constantOf(shape.slice(start, end)));
}

/** Reads Flatten. */
export function readFlatten(at: GraphReader): void {
  const value = at.map(0);
  if (at.number("axis", 1) !== 1) {
    throw new Unreadable("it does not keep the batch apart");
  }
  at.give(flattened(at, value));
}

/** Reads Squeeze of shapes, and of height and width behind a pool. */
export function readSqueeze(at: GraphReader): void {
  const value = at.value(0);
  if (value.constant) return at.give(constantOf(value.numbers()));
  const map = at.map(0);
  const rank = map.shape.length + 1;
  const axes = (at.has(1) ? at.constant(1).numbers() : at.numbers("axes"))
    ?.map((axis) => axis < 0 ? axis + rank : axis).sort();
  const spatial = map.shape.length === 3 &&
    map.shape.slice(1).every((size) => size === 1);
  if (!spatial || (axes && axes.join() !== "2,3")) {
    throw new Unreadable(
      "it takes away other dimensions than height and width",
    );
  }
  at.give(flattened(at, map));
}

/** Reads Unsqueeze of shapes, of a plane, and of features before a gate. */
export function readUnsqueeze(at: GraphReader): void {
  const value = at.value(0);
  if (value.constant) {
    return at.give(constantOf(value.numbers(), {
      shape: [1, ...value.shape],
      integer: value.integer,
    }));
  }
  const axes = at.has(1) ? at.constant(1).numbers() : at.numbers("axes");
  const { pending, ...plain } = value;
  if (pending?.kind !== "plane" || axes?.join() !== "1") {
    throw new Unreadable(`its axes are [${axes?.join(", ") ?? ""}]`);
  }
  at.give(plain);
}

/** Reads Reshape: to rows, around a channel shuffle, or to what it is. */
export function readReshape(at: GraphReader): void {
  const found = at.value(0);
  // Of one pixel it does not matter where the channels stand.
  const value = found.constant || !isPixel(found) ? found : first(found);
  const target = at.constant(1).numbers();
  if (value.constant) {
    return at.give(constantOf(value.numbers(), {
      shape: target,
      integer: value.integer,
    }));
  }
  const { pending, shape } = value;
  if (at.flag("allowzero") && target.includes(0)) {
    throw new Unreadable("it makes a dimension of 0");
  }
  const [batch, ...rest] = target;
  const known = rest.map((size, i) => size === 0 ? shape[i] ?? 0 : size);
  const total = shape.reduce((product, size) => product * size, 1);
  const sizes = known.map((size) =>
    size === -1
      ? total /
        known.reduce((product, one) => one === -1 ? product : product * one, 1)
      : size
  );
  const open = target.filter((size) => size === -1).length;
  const free = open <= 1 &&
    (batch === BATCH || batch === 0 || batch === -1 || batch! >= 1);
  if (!free || sizes.reduce((product, size) => product * size, 1) !== total) {
    throw new Unreadable(
      `it makes [${target.join(", ")}] of [N, ${shape.join(", ")}]`,
    );
  }
  const plain: Computed = { constant: false, node: value.node, shape };
  if (pending?.kind === "shuffled" && sizes.join() === shape.join()) {
    return at.give(at.append(channelShuffle(pending.groups), [plain]));
  }
  if (pending === undefined && sizes.length === 4) {
    const [groups, each, ...size] = sizes;
    if (size.join() === shape.slice(1).join() && groups! * each! === shape[0]) {
      return at.give(at.pend(plain, { kind: "grouped", groups: groups! }));
    }
  }
  const map = at.settled(value);
  if (sizes.join() === map.shape.join()) return at.give(map);
  if (sizes.length === 1) return at.give(flattened(at, map));
  // A gate's features come back as a map of one pixel.
  const pixel = [sizes.slice(1), sizes.slice(0, -1)]
    .findIndex((sides) => sides.join() === "1,1");
  const pooled = pixel < 0 ? undefined : pooledAgain(at, map);
  if (pooled) return at.give(pixel === 0 ? pooled : { ...pooled, last: true });
  throw new Unreadable(
    `it makes [N, ${sizes.join(", ")}] of [N, ${shape.join(", ")}]`,
  );
}

/** Reads Transpose: in a channel shuffle, and from images whose channels stand last. */
export function readTranspose(at: GraphReader): void {
  const value = at.computed(0);
  const order = at.numbers("perm")?.join();
  const { pending } = value;
  if (pending?.kind === "grouped" && order === "0,2,1,3,4") {
    return at.give(
      at.pend(value, { kind: "shuffled", groups: pending.groups }),
    );
  }
  if (value.last && order === "0,3,1,2") return at.give(first(value));
  if (!value.last && value.shape.length === 3 && order === "0,2,3,1") {
    return at.give({ ...value, last: true });
  }
  throw new Unreadable(`its order of dimensions is [${order ?? ""}]`);
}

/** Reads Pad by zeros, which the convolution behind it does. */
export function readPad(at: GraphReader): void {
  const { last = false, ...plain } = at.computed(0);
  const map = at.settled(plain);
  const given = at.has(1) ? at.constant(1).numbers() : at.numbers("pads");
  const pads = last && given?.length === 8
    ? [0, 3, 1, 2, 4, 7, 5, 6].map((axis) => given[axis]!)
    : given;
  const value = at.has(2) ? at.constant(2).numbers()[0] : at.number("value", 0);
  const [n0, c0, top, left, n1, c1, bottom, right] = pads ?? [];
  const axes = at.has(3) ? at.constant(3).numbers().join() : "0,1,2,3";
  if (
    pads?.length !== 8 || axes !== "0,1,2,3" ||
    [n0, c0, n1, c1].some((size) => size !== 0) ||
    pads.some((size) => size < 0) || value !== 0 ||
    at.text("mode", "constant") !== "constant"
  ) {
    throw new Unreadable("it pads otherwise than by zeros around a map");
  }
  const padded = pads.every((size) => size === 0)
    ? map
    : at.pend(map, { kind: "padded", sides: [top!, left!, bottom!, right!] });
  at.give(last ? { ...padded, last } : padded);
}

function isPixel({ shape }: Computed): boolean {
  return shape.length === 3 && shape[1] === 1 && shape[2] === 1;
}

/** The map of one pixel that rows of features were; undefined if they were none. */
function pooledAgain(at: GraphReader, rows: Computed): Computed | undefined {
  const input = at.inputOf(rows);
  if (rows.shape.length !== 1 || input === undefined) return undefined;
  switch (at.layerOf(rows)?.kind) {
    case "flatten":
      return isPixel(input) ? input : undefined;
    case "globalAveragePool":
      return at.append(globalAveragePool({ keepDimensions: true }), [input]);
    default:
      return undefined;
  }
}

function flattened(at: GraphReader, value: Computed): Computed {
  return value.shape.length === 1 ? value : at.append(flatten(), [value]);
}
