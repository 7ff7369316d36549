import type { Size2d } from "../../device/size2d.ts";
import { GapcamError } from "../../error.ts";

/** A whole number of at least `least`, or an error that names it. */
export function whole(name: string, value: number, least = 1): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new GapcamError(
    "invalid-argument",
    `Cannot describe a layer: ${name} is ${value}, expected a whole number ` +
      `of at least ${least}`,
  );
}

/** One or two whole numbers of at least `least`, as height and width. */
export function pair(
  name: string,
  size: Size2d,
  least: number,
): [number, number] {
  const [height, width] = typeof size === "number" ? [size, size] : size;
  whole(name, height, least);
  whole(name, width, least);
  return [height, width];
}
