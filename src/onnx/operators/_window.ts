import type { Shape } from "../../nn/layers/_layer_kind.ts";
import type { Computed } from "../_values.ts";
import { type GraphReader } from "../_graph_reader.ts";
import { Unreadable } from "../_unreadable.ts";

/** Height and width of an attribute that has one number for each. */
export function pairOf(
  at: GraphReader,
  name: string,
  fallback: [number, number],
): [number, number] {
  const [height, width, ...more] = at.numbers(name) ?? fallback;
  if (width === undefined || more.length > 0) {
    throw new Unreadable(`its ${name} are not two, for height and width`);
  }
  return [height!, width];
}

/**
 * Pixels added above, left, below and right, by `pads` or by `auto_pad`.
 *
 * @param size Height and width of what is padded.
 */
export function paddingOf(
  at: GraphReader,
  window: {
    size: readonly [number, number];
    kernel: readonly [number, number];
    stride: readonly [number, number];
    dilation: readonly [number, number];
  },
): [number, number, number, number] {
  const mode = at.text("auto_pad", "NOTSET");
  const pads = at.numbers("pads") ?? [0, 0, 0, 0];
  if (mode === "NOTSET") {
    if (pads.length !== 4 || pads.some((size) => size < 0)) {
      throw new Unreadable(
        `its pads are [${pads.join(", ")}], expected four from 0`,
      );
    }
    return pads as unknown as [number, number, number, number];
  }
  if (mode === "VALID") return [0, 0, 0, 0];
  if (mode !== "SAME_UPPER" && mode !== "SAME_LOWER") {
    throw new Unreadable(`its auto_pad is ${JSON.stringify(mode)}`);
  }
  const [vertical, horizontal] = ([0, 1] as const).map((i) => {
    const { size, kernel, stride, dilation } = window;
    const windows = Math.ceil(size[i] / stride[i]);
    const extent = dilation[i] * (kernel[i] - 1) + 1;
    return Math.max(0, (windows - 1) * stride[i] + extent - size[i]);
  }) as [number, number];
  const half = mode === "SAME_UPPER" ? Math.floor : Math.ceil;
  const top = half(vertical / 2);
  const left = half(horizontal / 2);
  return [top, left, vertical - top, horizontal - left];
}

/**
 * What a pool reads, and what is padded in front of it, which it does itself.
 *
 * @param isNeutral Whether zeros around a map change nothing of what is made of
 * it, or are counted.
 */
export function paddedMap(
  at: GraphReader,
  isNeutral: (map: Computed) => boolean,
): { map: Computed; before: readonly number[] } {
  const { pending, ...plain } = at.computed(0);
  if (pending?.kind !== "padded" || plain.last || !isNeutral(plain)) {
    return { map: at.map(0), before: [0, 0, 0, 0] };
  }
  return { map: plain, before: pending.sides };
}

/** Padding of an operator and of a Pad in front of it. */
export function together(
  own: readonly number[],
  before: readonly number[],
): [number, number, number, number] {
  return own.map((size, i) => size + before[i]!) as [
    number,
    number,
    number,
    number,
  ];
}

/** The window of a pool, whose pixels lie side by side. */
export function windowOf(at: GraphReader, [, height, width]: Shape): {
  kernelSize: [number, number];
  stride: [number, number];
  padding: [number, number, number, number];
  ceilMode: boolean;
} {
  if (height === undefined || width === undefined) {
    throw new Unreadable("it pools what is no map");
  }
  const kernelSize = pairOf(at, "kernel_shape", [1, 1]);
  const stride = pairOf(at, "strides", [1, 1]);
  const dilation = pairOf(at, "dilations", [1, 1]);
  if (dilation.some((size) => size !== 1)) {
    throw new Unreadable(
      `its dilations are ${dilation.join(" and ")}, expected 1`,
    );
  }
  const padding = paddingOf(at, {
    size: [height, width],
    kernel: kernelSize,
    stride,
    dilation,
  });
  const ceilMode = at.flag("ceil_mode");
  return { kernelSize, stride, padding, ceilMode };
}
