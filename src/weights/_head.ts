import { GapcamError } from "../error.ts";
import type { Shapes } from "./_match_names.ts";
import { few, quote } from "./_quote.ts";
import type { VggParts } from "./_sort_vgg.ts";
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

/** The head that is kept, and what is to be said of it. */
export function keptHead(
  shapes: Shapes,
  { wrapper, outside }: VggParts,
  { label, features, asked }: {
    label: string;
    features: number;
    asked: number | undefined;
  },
): { base: string; classes: number; notes: string[] } {
  const refuse = (reason: string): never => {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot keep the head of these ${label} weights: ${reason}; ` +
        "keep only the trunk and start a fresh head",
    );
  };
  const usual = `${wrapper}classifier`;
  // What wraps the trunk mostly wraps the head too.
  const within = outside.filter((name) => name.startsWith(wrapper));
  const head = findHead(shapes, within, { usual, features }) ??
    findHead(shapes, outside, { usual, features });
  if (!head) {
    return refuse(
      outside.length === 0
        ? "there is none"
        : `it has the tensors ${
          few(outside, quote)
        }, and class activation maps need one linear layer behind global ` +
          "average pooling",
    );
  }
  const classes = shapes.get(`${head.base}.weight`)![0]!;
  if (classes < 1) return refuse("it decides between no classes");
  if (asked !== undefined && asked !== classes) {
    return refuse(`it decides between ${classes} classes, expected ${asked}`);
  }
  const what = head.convolution
    ? ", a convolution of 1 x 1, for a linear layer behind pooling"
    : "";
  const notes = head.base === usual && !head.convolution
    ? []
    : [`Took ${quote(head.base)} as the head${what}`];
  return { base: head.base, classes, notes };
}

/** What is said of a head that is not kept. */
export function leftHead(names: readonly string[]): string {
  return names.length === 0
    ? "The weights have no head; a fresh one is to be trained"
    : `Left out the head (${few(names)}); a fresh one is to be trained`;
}
