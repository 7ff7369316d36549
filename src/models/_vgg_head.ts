import { GapcamError } from "../error.ts";
import { findHead } from "../weights/_head.ts";
import type { Shapes } from "../weights/_match_names.ts";
import { few, quote } from "../weights/_quote.ts";
import type { VggParts } from "./_sort_vgg.ts";

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
