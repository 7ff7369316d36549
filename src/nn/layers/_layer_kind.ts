import type { Program } from "../../device/program.ts";
import type { Tensor } from "../../device/tensor.ts";
import { type AnyPadding, sidesOf } from "./_checks.ts";
import type { LayerJson } from "./_layer_json.ts";

/** Dimensions of one image's values, without the batch: [channels, height, width] or [features]. */
export type Shape = readonly number[];

/** A tensor that a layer owns, as it asks for it. */
export interface ParameterSpec {
  /** What the layer calls it, such as `weight`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether training changes it by gradients. */
  readonly trainable: boolean;
  /** Inputs that one output sums over; 0 where a constant initialises it. */
  readonly fanIn: number;
  /** What it starts as where `fanIn` is 0. */
  readonly initialValue: number;
}

/** Where a layer is recorded: the program, what it reads, and what it owns. */
export interface RecordAt {
  readonly program: Program;
  readonly inputs: readonly [Tensor, ...Tensor[]];
  /** The device's tensor of one of the layer's own parameters. */
  parameter(name: string): Tensor;
}

/** All that is true of one kind of layer. */
export interface LayerKind<L> {
  /** Rebuilds the layer from JSON that anybody may have written. */
  parse(json: LayerJson): L;
  /**
   * The shape of what the layer makes of its inputs.
   *
   * @throws {Misfit} If they do not fit.
   */
  outputShape(layer: L, inputs: readonly [Shape, ...Shape[]]): Shape;
  /** The layer's own tensors, in PyTorch's order. Default: none. */
  parameters?(layer: L): readonly ParameterSpec[];
  /**
   * Multiplications for one element of the output, each with an addition, where
   * the layer is one whose cost counts. Default: 0, as of all that only reads.
   */
  multiplyAdds?(layer: L): number;
  /** Appends the layer's operation to a program. */
  record(layer: L, at: RecordAt): Tensor;
}

/** What a layer needs where its inputs do not fit. */
export class Misfit extends Error {
  /** What it takes; undefined if the map is too small for its window. */
  readonly needed: string | undefined;

  constructor(needed?: string) {
    super(needed ?? "too small");
    this.needed = needed;
  }
}

/** Refuses inputs that are not what a layer takes. */
export function expect(condition: boolean, needed: string): void {
  if (!condition) throw new Misfit(needed);
}

/** A window that moves over a map. */
export interface Window {
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: AnyPadding;
  /** Pixels from one of the kernel's to the next. Default: 1. */
  readonly dilation?: readonly [number, number];
  /** Whether a last window may reach beyond the padding. Default: false. */
  readonly ceilMode?: boolean;
}

/** How many windows fit a map: [rows, columns]. */
export function windowsOf(
  window: Window,
  [, height, width]: Shape,
): [number, number] {
  const sides = sidesOf(window.padding, {
    ...window,
    size: [height!, width!],
  });
  const count = (size: number, direction: 0 | 1) => {
    const before = sides[direction];
    const stride = window.stride[direction];
    const extent = (window.dilation?.[direction] ?? 1) *
        (window.kernelSize[direction] - 1) + 1;
    const room = size + before + sides[direction === 0 ? 2 : 3] - extent;
    if (!window.ceilMode) return Math.floor(room / stride) + 1;
    const windows = Math.ceil(room / stride) + 1;
    // As PyTorch: a window must begin on the map or the padding before it.
    return (windows - 1) * stride >= size + before ? windows - 1 : windows;
  };
  const rows = count(height!, 0);
  const columns = count(width!, 1);
  if (rows < 1 || columns < 1) throw new Misfit();
  return [rows, columns];
}

/** A map's shape, or a misfit. */
export function mapShape(shape: Shape): readonly [number, number, number] {
  expect(shape.length === 3, "[channels, height, width]");
  return shape as unknown as [number, number, number];
}
