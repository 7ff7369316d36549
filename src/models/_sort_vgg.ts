import { parametersOf } from "../nn/parameters.ts";
import { vgg, type VggStep } from "./vgg.ts";
import {
  findPrefix,
  type Shapes,
  type WantedShape,
} from "../weights/_match_names.ts";

/** Which of a file's names are a VGG's trunk. */
export interface VggParts {
  /** What stands before the numbers of the trunk's layers. */
  prefix: string;
  /** What stands before the name of the trunk, as before that of the head. */
  wrapper: string;
  batchNorm: boolean;
  inputChannels: number;
  /** How many of the trunk's tensors are there with their shapes. */
  fits: number;
  /** The file's names by gapcam's, `features.N.weight`; none for counters. */
  trunk: Map<string, string>;
  /** Names beside the trunk, in the file's order. */
  outside: string[];
}

/**
 * Sorts names into those of the trunk and others, by where most of the trunk's
 * tensors fit.
 *
 * @param wanted With or without batch normalisation, or both: what fits better.
 * @returns Undefined where no name is one of the trunk's.
 */
export function sortVgg(
  shapes: Shapes,
  wanted: readonly WantedTrunk[],
): VggParts | undefined {
  const [best] = wanted
    .map(({ batchNorm, tensors }) => ({
      batchNorm,
      match: findPrefix(shapes, tensors),
    }))
    .sort((a, b) =>
      (b.match?.fits ?? 0) - (a.match?.fits ?? 0) ||
      (b.match?.names ?? 0) - (a.match?.names ?? 0)
    );
  if (!best?.match) return undefined;
  const { prefix, fits } = best.match;
  // A number alone makes no trunk, such as the first of `layer1.0.weight`.
  if (fits === 0 && !/(^|\.)(features|conv)\.$/.test(prefix)) return undefined;
  const found = new Map<string, string>();
  const outside: string[] = [];
  for (const name of shapes.keys()) {
    const rest = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    if (!/^\d+\./.test(rest)) outside.push(name);
    // A counter that PyTorch keeps beside running statistics and uses only
    // without momentum.
    else if (!rest.endsWith(".num_batches_tracked")) {
      found.set(`features.${rest}`, name);
    }
  }
  return {
    prefix,
    fits,
    wrapper: prefix.replace(/[^.]*\.$/, ""),
    batchNorm: best.batchNorm,
    inputChannels: shapes.get(`${prefix}0.weight`)?.[1] ?? 3,
    trunk: found,
    outside,
  };
}

/** Tensors of a trunk behind its prefix. */
export interface WantedTrunk {
  batchNorm: boolean;
  tensors: Map<string, WantedShape>;
}

/**
 * What a trunk has behind its prefix; any number of channels may go in.
 *
 * @param batchNorm Whether there is batch normalisation; both where undefined.
 */
export function wantedTrunks(
  trunk: readonly VggStep[],
  batchNorm: boolean | undefined,
): WantedTrunk[] {
  return (batchNorm === undefined ? [false, true] : [batchNorm]).map(
    (batchNorm) => {
      const tensors = new Map<string, WantedShape>();
      const model = vgg(trunk, { classes: 1, batchNorm });
      for (const { name, shape } of parametersOf(model)) {
        if (!name.startsWith("features.")) continue;
        const rest = name.slice("features.".length);
        const [outputs, , ...window] = shape;
        tensors.set(
          rest,
          rest === "0.weight" ? [outputs, undefined, ...window] : shape,
        );
      }
      return { batchNorm, tensors };
    },
  );
}
