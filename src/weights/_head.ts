import type { Shapes } from "./_match_names.ts";
import { NAME_LIMIT } from "./_wrappers.ts";

/** Tensors of one linear layer behind global average pooling. */
export interface FoundHead {
  /** What stands before `.weight` and `.bias`. */
  base: string;
  /** Whether it was written as a convolution of 1 x 1. */
  convolution: boolean;
}

/**
 * Finds the linear layer that decides, whatever it is called: the one of the
 * usual name, else the only layer outside the trunk that has a weight matrix.
 *
 * @param names Names outside the trunk.
 * @param usual What it is usually called, such as `classifier`.
 * @param features Channels that the trunk gives.
 */
export function findHead(
  shapes: Shapes,
  names: Iterable<string>,
  { usual, features }: { usual: string; features: number },
): FoundHead | undefined {
  const bases = [...names].filter((name) =>
    name.length <= NAME_LIMIT && name.endsWith(".weight") &&
    shapes.get(name)!.length >= 2
  ).map((name) => name.slice(0, -".weight".length));
  const base = bases.includes(usual)
    ? usual
    : bases.length === 1
    ? bases[0]!
    : undefined;
  if (base === undefined) return undefined;
  const [, inputs, ...window] = shapes.get(`${base}.weight`)!;
  const convolution = window.join() === "1,1";
  if (base !== usual && inputs !== features) return undefined;
  // A matrix of another size under the usual name is for the caller to refuse.
  if (!convolution && window.length > 0) return undefined;
  return { base, convolution };
}
