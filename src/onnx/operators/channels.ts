import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";
import {
  type ChannelShuffle,
  type SliceChannels,
  sliceChannels,
} from "../../nn/layers/channels.ts";
import { constantOf } from "../_values.ts";
import {
  constantIntegers,
  integer,
  integers,
  operator,
  type OperatorWriter,
} from "./_operator.ts";

/** A choice of channels is Slice. */
export const writeSliceChannels: OperatorWriter<SliceChannels> = (
  { start, end },
  at,
) => {
  const named = (name: string) => `${at.name}.${name}`;
  return [
    constantIntegers(named("starts"), [start]),
    constantIntegers(named("ends"), [end]),
    constantIntegers(named("axes"), [1]),
    operator("Slice", {
      ...at,
      inputs: [...at.inputs, ...["starts", "ends", "axes"].map(named)],
    }),
  ];
};

/** A shuffle is Reshape, Transpose, Reshape, with height and width as they come. */
export const writeChannelShuffle: OperatorWriter<ChannelShuffle> = (
  { groups },
  at,
) => {
  const [input] = at.inputs as [string];
  const step = (
    type: string,
    part: string,
    inputs: readonly string[],
    attributes: Parameters<typeof operator>[2] = {},
  ) =>
    operator(
      type,
      { name: named(part), inputs, output: named(part) },
      attributes,
    );
  const named = (part: string) => `${at.name}.${part}`;
  return [
    constantIntegers(named("groups"), [0, groups, -1]),
    step("Shape", "shape", [input]),
    step("Shape", "size", [input], { attributes: [integer("start", 2)] }),
    step("Concat", "grouping", [named("groups"), named("size")], {
      attributes: [integer("axis", 0)],
    }),
    step("Reshape", "grouped", [input, named("grouping")]),
    step("Transpose", "transposed", [named("grouped")], {
      attributes: [integers("perm", [0, 2, 1, 3, 4])],
    }),
    operator("Reshape", {
      ...at,
      inputs: [named("transposed"), named("shape")],
    }),
  ];
};

/** Reads Slice: of channels, or of a shape. */
export function readSlice(at: GraphReader): void {
  const value = at.value(0);
  const list = (position: number, name: string) =>
    at.has(position) ? at.constant(position).numbers() : at.numbers(name);
  const [start, end] = [list(1, "starts"), list(2, "ends")];
  const axes = list(3, "axes") ?? [0];
  const steps = at.has(4) ? at.constant(4).numbers() : [1];
  if (
    start?.length !== 1 || end?.length !== 1 || axes.length !== 1 ||
    steps[0] !== 1
  ) {
    throw new Unreadable("it takes more than one slice, or skips values");
  }
  if (value.constant) {
    return at.give(constantOf(value.numbers().slice(start[0]!, end[0]!)));
  }
  const map = at.map(0);
  const [channels] = map.shape;
  if (axes[0] !== 1 && axes[0] !== -map.shape.length) {
    throw new Unreadable(`its axis is ${axes[0]}, expected channels`);
  }
  const place = (number: number) =>
    Math.max(0, Math.min(channels!, number < 0 ? number + channels! : number));
  const layer = sliceChannels(place(start[0]!), place(end[0]!));
  at.give(at.append(layer, [map]));
}

/** Reads Split along channels. */
export function readSplit(at: GraphReader): void {
  const map = at.map(0);
  const [channels] = map.shape;
  const parts = at.current.outputs.length;
  const axis = at.number("axis", 0);
  if (axis !== 1) {
    throw new Unreadable(`its axis is ${axis}, expected channels`);
  }
  const sizes = at.has(1) ? at.constant(1).numbers() : at.numbers("split") ??
    Array.from(
      { length: parts },
      (_, i) =>
        Math.min(
          Math.ceil(channels! / parts),
          channels! - i * Math.ceil(channels! / parts),
        ),
    );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (sizes.length !== parts || total !== channels) {
    throw new Unreadable(
      `it splits ${channels} channels into ${
        sizes.join(" and ")
      } for ${parts} ` +
        "outputs",
    );
  }
  let start = 0;
  sizes.forEach((size, i) => {
    at.give(at.append(sliceChannels(start, start + size), [map]), i);
    start += size;
  });
}

/** Reads Gather: of a shape, or of one channel. */
export function readGather(at: GraphReader): void {
  const value = at.value(0);
  const indices = at.constant(1);
  const axis = at.number("axis", 0);
  if (value.constant) {
    const numbers = value.numbers();
    const chosen = indices.numbers().map((i) => numbers.at(i));
    if (value.shape.length > 1 || chosen.includes(undefined)) {
      throw new Unreadable("it chooses what is not there");
    }
    return at.give(constantOf(chosen as number[], {
      shape: indices.shape,
      integer: value.integer,
    }));
  }
  const map = at.map(0);
  const [index, ...more] = indices.numbers();
  if (axis !== 1 || indices.shape.length > 0 || more.length > 0) {
    throw new Unreadable("it chooses otherwise than one channel");
  }
  const channel = index! < 0 ? index! + map.shape[0]! : index!;
  const one = at.append(sliceChannels(channel, channel + 1), [map]);
  at.give(at.pend(one, { kind: "plane" }));
}
