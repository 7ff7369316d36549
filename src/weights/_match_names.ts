import { NAME_LIMIT } from "./_wrappers.ts";

/** Dimensions that a tensor must have; any number will do where undefined. */
export type WantedShape = readonly (number | undefined)[];

/** Shapes by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** What stands before the names of tensors that are wanted. */
export interface PrefixMatch {
  prefix: string;
  /** Tensors behind the prefix whose name and shape are wanted. */
  fits: number;
  /** Those whose name is, whatever their shape. */
  names: number;
}

/** Whether a shape is what is wanted. */
export function shapeFits(
  shape: readonly number[],
  wanted: WantedShape,
): boolean {
  return shape.length === wanted.length &&
    shape.every((size, i) => wanted[i] === undefined || wanted[i] === size);
}

/**
 * Finds what stands before names: the prefix behind which most of what is
 * wanted is there, with its shape.
 */
export function findPrefix(
  shapes: Shapes,
  wanted: ReadonlyMap<string, WantedShape>,
): PrefixMatch | undefined {
  const depths = new Set([...wanted.keys()].map((name) => dots(name)));
  const found = new Map<string, PrefixMatch>();
  for (const [name, shape] of shapes) {
    if (name.length > NAME_LIMIT) continue;
    for (const depth of depths) {
      const start = tailStart(name, depth);
      const expected = wanted.get(name.slice(start));
      if (!expected) continue;
      const prefix = name.slice(0, start);
      const match = found.get(prefix) ?? { prefix, fits: 0, names: 0 };
      match.names++;
      if (shapeFits(shape, expected)) match.fits++;
      found.set(prefix, match);
    }
  }
  return [...found.values()].sort((a, b) =>
    b.fits - a.fits || b.names - a.names ||
    Number(isCopy(a.prefix)) - Number(isCopy(b.prefix)) ||
    a.prefix.length - b.prefix.length
  )[0];
}

/** Whether a name is that of an average of weights, as training keeps beside them. */
export function isCopy(name: string): boolean {
  return /(^|[._])(ema|avg|averaged?|teacher|swa)[._]/i.test(name);
}

function dots(name: string): number {
  return name.split(".").length - 1;
}

/** Where the part of a name begins that has so many dots; -1 where none does. */
function tailStart(name: string, count: number): number {
  let at = name.length;
  for (let i = 0; i <= count; i++) {
    if (at < 0) return name.length;
    at = name.lastIndexOf(".", at - 1);
  }
  return at + 1;
}
