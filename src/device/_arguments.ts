import { GapcamError } from "../error.ts";
import type { Padding2d, Size2d } from "./size2d.ts";
import type { Tensor } from "./tensor.ts";

/** Checks what FFI would truncate to the C type. */
export function whole(what: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 31) return value;
  throw new GapcamError(
    "invalid-argument",
    `Cannot record an operation with ${what} ${value}: ` +
      "expected a whole number from 0 to 2147483647",
  );
}

/** Height and width of one or two sizes. */
export function pair(what: string, size: Size2d): readonly [number, number] {
  const [height, width] = typeof size === "number" ? [size, size] : size;
  return [whole(what, height), whole(what, width)];
}

/** Top, left, bottom and right of a padding. */
export function sides(
  what: string,
  padding: Padding2d,
): readonly [number, number, number, number] {
  if (typeof padding === "number" || padding.length === 2) {
    const [height, width] = pair(what, padding);
    return [height, width, height, width];
  }
  const [top, left, bottom, right] = padding;
  return [
    whole(what, top),
    whole(what, left),
    whole(what, bottom),
    whole(what, right),
  ];
}

/** The tensors' handles, as the C interface takes lists. */
export function handles(
  tensors: readonly Tensor[],
): BigUint64Array<ArrayBuffer> {
  return BigUint64Array.from(tensors, (tensor) => tensor.handle);
}

/** Throws unless each parameter has a gradient or moment. */
export function assertSameLength(
  parameters: readonly Tensor[],
  others: readonly Tensor[],
): void {
  if (parameters.length === others.length) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot record an update of ${parameters.length} parameters with ` +
      `${others.length} gradients or moments: expected one for each`,
  );
}
