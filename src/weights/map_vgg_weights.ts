import { GapcamError } from "../error.ts";
import { parametersOf } from "../nn/parameters.ts";
import { vgg, VGG_CONFIGURATIONS, type VggStep } from "../nn/vgg.ts";
import { quote, shapeText } from "./_quote.ts";
import type { HostTensor, StateDict } from "./state_dict.ts";

/** Where weights come from, by how they name a trunk's layers. */
export type VggNaming = "torchvision" | "notebook" | "gapcam";

/** Options of {@linkcode mapVggWeights}. */
export interface MapVggOptions {
  /**
   * `keep` takes the linear layer that decides; `new` leaves it out, for a fresh
   * one to be trained. Default: `keep`.
   */
  head?: "keep" | "new";
  /** Classes that the head must decide between. Default: what it has. */
  classes?: number;
}

/** Weights under gapcam's names. */
export interface MappedVgg {
  /** What the trunk's layers were called. */
  naming: VggNaming;
  /** The trunk, for {@linkcode vgg}. */
  trunk: readonly VggStep[];
  /** Whether batch normalisation follows each convolution. */
  batchNorm: boolean;
  /** Channels of the images. */
  inputChannels: number;
  /** Classes of the head; undefined where there is none. */
  classes: number | undefined;
  /** Tensors under gapcam's names, in the model's order. */
  state: StateDict;
  /** What was left out, one sentence each. */
  notes: string[];
}

/**
 * Maps the weights of a VGG to gapcam's names.
 *
 * Three namings are known: torchvision's `features.N.weight` with a classifier
 * of three layers, which is no head for class activation maps; the
 * `conv.N.weight` and `classifier.weight` of the notebook that gapcam replaces;
 * and gapcam's own.
 *
 * @param weights Tensors by name, as {@linkcode openPytorch} and
 * {@linkcode toStateDict} give them.
 * @param architecture `vgg11`, `vgg13`, `vgg16` or `vgg19`, with `_bn` behind it
 * for batch normalisation, as torchvision names them; or a trunk.
 * @param options What to do with the head.
 * @returns The tensors that fit, with what {@linkcode vgg} needs to build the model.
 * @throws {GapcamError} If a tensor is missing, left over or of another shape;
 * the message lists them. If the head is to be kept and is not one linear layer,
 * or has another number of classes.
 *
 * @example The notebook's names
 * ```ts
 * import { initialise, mapVggWeights, vgg } from "@gapcam/gapcam";
 *
 * const own = initialise(vgg([4, "M", 8], { classes: 2 }), 0);
 * const foreign = new Map(
 *   [...own].map(([name, tensor]) => [name.replace("features", "conv"), tensor]),
 * );
 * const mapped = mapVggWeights(foreign, [4, "M", 8]);
 * if (mapped.naming !== "notebook") throw new Error(mapped.naming);
 * if (!mapped.state.has("features.0.weight")) throw new Error();
 * ```
 */
export function mapVggWeights(
  weights: StateDict,
  architecture: string | readonly VggStep[],
  options: MapVggOptions = {},
): MappedVgg {
  const { trunk, batchNorm, label } = describe(architecture, weights);
  const naming = findNaming(weights, label);
  const notes: string[] = [];
  const found = new Map<string, HostTensor>();
  for (const [name, tensor] of weights) {
    // A counter that PyTorch keeps beside running statistics and uses only
    // without momentum.
    if (name.endsWith(".num_batches_tracked")) continue;
    found.set(name.replace(/^conv\./, "features."), tensor);
  }
  const head = [...found.keys()].filter((name) =>
    !name.startsWith("features.")
  );
  let classes: number | undefined;
  if ((options.head ?? "keep") === "keep") {
    classes = keptClasses(found, head, { label, asked: options.classes });
  } else {
    for (const name of head) found.delete(name);
    notes.push(
      head.length === 0
        ? "The weights have no head; a fresh one is to be trained"
        : `Left out the head (${
          head.join(", ")
        }); a fresh one is to be trained`,
    );
  }
  const inputChannels = found.get("features.0.weight")?.shape[1] ?? 3;
  const parameters = parametersOf(
    vgg(trunk, { classes: classes ?? 1, inputChannels, batchNorm }),
  ).filter(({ name }) => classes !== undefined || name.startsWith("features."));

  const problems: string[] = [];
  const state: StateDict = new Map();
  for (const { name, shape } of parameters) {
    const tensor = found.get(name);
    if (!tensor) problems.push(`${name} is missing`);
    else if (tensor.shape.join() !== shape.join()) {
      problems.push(
        `${name} is ${shapeText(tensor.shape)}, expected ${shapeText(shape)}`,
      );
    } else state.set(name, tensor);
    found.delete(name);
  }
  for (const name of found.keys()) {
    problems.push(`${quote(name)} has no place`);
  }
  if (problems.length > 0) {
    const shown = problems.slice(0, 6).join("; ");
    const more = problems.length > 6 ? `; and ${problems.length - 6} more` : "";
    throw new GapcamError(
      "shape-mismatch",
      `Cannot map weights to ${label}: ${shown}${more}${
        hint(weights, batchNorm)
      }`,
    );
  }
  return { naming, trunk, batchNorm, inputChannels, classes, state, notes };
}

function describe(
  architecture: string | readonly VggStep[],
  weights: StateDict,
): { trunk: readonly VggStep[]; batchNorm: boolean; label: string } {
  if (typeof architecture !== "string") {
    return {
      trunk: architecture,
      batchNorm: hasStatistics(weights),
      label: architecture.join(","),
    };
  }
  const name = architecture.replace(/_bn$/, "");
  if (!Object.hasOwn(VGG_CONFIGURATIONS, name)) {
    const known = Object.keys(VGG_CONFIGURATIONS);
    throw new GapcamError(
      "invalid-argument",
      `Cannot map weights to ${quote(architecture)}: expected one of ` +
        known.flatMap((one) => [one, `${one}_bn`]).join(", "),
    );
  }
  return {
    trunk: VGG_CONFIGURATIONS[name as keyof typeof VGG_CONFIGURATIONS],
    batchNorm: architecture.endsWith("_bn"),
    label: architecture,
  };
}

function findNaming(weights: StateDict, label: string): VggNaming {
  const names = [...weights.keys()];
  if (names.some((name) => name.startsWith("conv."))) return "notebook";
  if (names.some((name) => name.startsWith("features."))) {
    return weights.has("classifier.weight") ? "gapcam" : "torchvision";
  }
  throw new GapcamError(
    "bad-data",
    `Cannot map weights to ${label}: no name begins with "features." or ` +
      `"conv.", found ${names.slice(0, 4).map(quote).join(", ") || "none"}`,
  );
}

/** Number of classes of a head that is one linear layer. */
function keptClasses(
  found: ReadonlyMap<string, HostTensor>,
  head: readonly string[],
  { label, asked }: { label: string; asked: number | undefined },
): number {
  const refuse = (reason: string): never => {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot keep the head of these ${label} weights: ${reason}; ` +
        "keep only the trunk and start a fresh head (head new)",
    );
  };
  const weight = found.get("classifier.weight");
  if (!weight) {
    return refuse(
      head.length === 0
        ? "there is none"
        : `it has the tensors ${
          head.slice(0, 8).map(quote).join(", ")
        }, and class activation maps need one linear layer behind global ` +
          "average pooling",
    );
  }
  const classes = weight.shape[0] ?? 0;
  if (classes < 1) return refuse("it decides between no classes");
  if (asked !== undefined && asked !== classes) {
    return refuse(`it decides between ${classes} classes, expected ${asked}`);
  }
  return classes;
}

function hint(weights: StateDict, batchNorm: boolean): string {
  if (hasStatistics(weights) === batchNorm) return "";
  return batchNorm
    ? "; the weights have no batch normalisation"
    : "; the weights have batch normalisation, which names ending in _bn have";
}

function hasStatistics(weights: StateDict): boolean {
  return [...weights.keys()].some((name) => name.endsWith(".running_mean"));
}
