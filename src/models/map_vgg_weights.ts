import { GapcamError } from "../error.ts";
import { parametersOf } from "../nn/parameters.ts";
import { vgg, VGG_CONFIGURATIONS, type VggStep } from "./vgg.ts";
import { few, quote, shapeText } from "../weights/_quote.ts";
import { keptHead, leftHead } from "./_vgg_head.ts";
import { isCopy, type Shapes } from "../weights/_match_names.ts";
import { sortVgg, wantedTrunks } from "./_sort_vgg.ts";
import { unwrapNames } from "../weights/_wrappers.ts";
import type { WeightsFit } from "../weights/_state_dict_search.ts";
import { namingOf, recogniseVgg, type VggNaming } from "./recognise_vgg.ts";
import {
  elementCount,
  type HostTensor,
  type StateDict,
} from "../host_tensor.ts";
import {
  hostTensorOf,
  isFloat,
  type StoredTensor,
} from "../weights/stored_tensor.ts";

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
  /** What was left out, renamed or added, one sentence each. */
  notes: string[];
}

/**
 * Maps the weights of a VGG to gapcam's names.
 *
 * The trunk is found by what fits, whatever stands before its layers' numbers:
 * torchvision's `features.N.weight`, the `conv.N.weight` of the notebook that
 * gapcam replaces, `model.backbone.N.weight`. The head may have any name and be
 * a 1 x 1 convolution; torchvision's classifier of three layers is no head for
 * class activation maps. A bias that all convolutions lack is zero. Only what
 * the network needs is converted to 32-bit floats.
 *
 * @param weights Tensors by name, as {@linkcode readWeights} gives them.
 * @param architecture `vgg11`, `vgg13`, `vgg16` or `vgg19`, with `_bn` behind it
 * for batch normalisation, as torchvision names them; or a trunk.
 * @param options What to do with the head.
 * @returns The tensors that fit, with what {@linkcode vgg} needs to build the model.
 * @throws {GapcamError} If a tensor is missing, left over or of another shape;
 * the message lists them. If the head is to be kept and is not one linear layer,
 * or has another number of classes. If a tensor that is needed has a type
 * without conversion.
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
  weights: ReadonlyMap<string, HostTensor | StoredTensor>,
  architecture: string | readonly VggStep[],
  options: MapVggOptions = {},
): MappedVgg {
  const { tensors, notes } = unwrapNames(weights);
  const shapes = new Map(
    [...tensors].map(([name, { shape }]) => [name, shape]),
  );
  const { trunk, label, ...asked } = describe(architecture);
  const parts = sortVgg(shapes, wantedTrunks(trunk, asked.batchNorm)) ??
    refuseNames(shapes, label);
  const { prefix, wrapper, batchNorm, inputChannels } = parts;
  if (wrapper !== "") notes.push(`Removed the prefix ${quote(wrapper)}`);
  const naming = namingOf(prefix, tensors);
  if (naming === "other") {
    notes.push(`Took ${quote(`${prefix}N`)} for the layers of the trunk`);
  }
  const sources = new Map(parts.trunk);
  const unused = new Set(parts.outside);
  let classes: number | undefined;
  if ((options.head ?? "keep") === "keep") {
    const head = keptHead(shapes, parts, {
      label,
      features: trunk.findLast((step) => step !== "M") as number,
      asked: options.classes,
    });
    classes = head.classes;
    for (const kind of ["weight", "bias"]) {
      const source = `${head.base}.${kind}`;
      if (unused.delete(source)) sources.set(`classifier.${kind}`, source);
    }
    notes.push(...head.notes);
  } else {
    notes.push(leftHead(parts.outside));
    unused.clear();
  }
  const parameters = parametersOf(
    vgg(trunk, { classes: classes ?? 1, inputChannels, batchNorm }),
  ).filter(({ name }) => classes !== undefined || name.startsWith("features."));
  const lacking = lackingBiases(
    parameters.filter(({ shape }) => shape.length > 1).map(({ name }) => name),
    sources,
    batchNorm,
  );
  if (lacking.length > 0) {
    notes.push(`Set to zero, as the weights have none: ${few(lacking)}`);
  }

  const problems: string[] = [];
  const taken: [name: string, source: string, shape: readonly number[]][] = [];
  const state: StateDict = new Map();
  for (const { name, shape } of parameters) {
    const source = sources.get(name);
    sources.delete(name);
    if (source === undefined) {
      if (!lacking.includes(name)) problems.push(`${name} is missing`);
      taken.push([name, "", shape]);
      continue;
    }
    const found = shapes.get(source)!;
    const flat = name === "classifier.weight" ? found.slice(0, 2) : found;
    if (flat.join() !== shape.join()) {
      problems.push(
        `${name} is ${shapeText(found)}, expected ${shapeText(shape)}`,
      );
    }
    taken.push([name, source, shape]);
  }
  const idle: string[] = [];
  for (const name of sources.values()) {
    problems.push(`${quote(name)} has no place`);
  }
  for (const name of unused) {
    const isPart = name.startsWith(wrapper) && !isCopy(name) &&
      isParameter(name, tensors.get(name)!);
    if (isPart) problems.push(`${quote(name)} has no place`);
    else if (!name.endsWith(".num_batches_tracked")) idle.push(name);
  }
  if (problems.length > 0) {
    const shown = problems.slice(0, 6).join("; ");
    const more = problems.length > 6 ? `; and ${problems.length - 6} more` : "";
    throw new GapcamError(
      "shape-mismatch",
      `Cannot map weights to ${label}: ${shown}${more}${
        hint(shapes, batchNorm)
      }`,
    );
  }
  if (idle.length > 0) {
    notes.push(`Left out what the network does not use: ${few(idle)}`);
  }
  for (const [name, source, shape] of taken) {
    const tensor = tensors.get(source);
    state.set(
      name,
      tensor
        ? hostTensorOf(tensor, { name: quote(source), shape })
        : zeros(shape),
    );
  }
  return { naming, trunk, batchNorm, inputChannels, classes, state, notes };
}

/**
 * Which of a file's state dicts is a VGG's, for {@linkcode readWeights}.
 *
 * @param architecture As {@linkcode mapVggWeights} takes it; any VGG if left out.
 *
 * @example
 * ```ts
 * import { vggFit } from "@gapcam/gapcam";
 *
 * const shapes = new Map([["model.conv.0.weight", [8, 3, 3, 3]]]);
 * if (vggFit([8])(shapes) !== 1) throw new Error();
 * ```
 */
export function vggFit(architecture?: string | readonly VggStep[]): WeightsFit {
  if (architecture === undefined) {
    return (shapes) =>
      recogniseVgg(
        new Map([...shapes].map(([name, shape]) => [name, { shape }])),
      )?.tensors ?? 0;
  }
  const { trunk, batchNorm } = describe(architecture);
  const wanted = wantedTrunks(trunk, batchNorm);
  return (shapes) => sortVgg(shapes, wanted)?.fits ?? 0;
}

function describe(architecture: string | readonly VggStep[]): {
  trunk: readonly VggStep[];
  batchNorm: boolean | undefined;
  label: string;
} {
  if (typeof architecture !== "string") {
    return {
      trunk: architecture,
      batchNorm: undefined,
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

function refuseNames(shapes: Shapes, label: string): never {
  const names = [...shapes.keys()].slice(0, 4).map(quote).join(", ");
  throw new GapcamError(
    "bad-data",
    `Cannot map weights to ${label}: no name is that of a numbered layer, such ` +
      `as "features.0.weight", found ${names || "none"}`,
  );
}

/**
 * Biases that a network made without: before batch normalisation, which takes
 * any away, or in all layers alike. One that lacks among others is damage.
 */
function lackingBiases(
  weights: readonly string[],
  sources: ReadonlyMap<string, string>,
  batchNorm: boolean,
): string[] {
  const biases = (inTrunk: boolean) =>
    weights.filter((name) =>
      name.startsWith("features.") === inTrunk && sources.has(name)
    ).map((name) => name.replace(/weight$/, "bias"));
  const missing = (names: readonly string[]) =>
    names.filter((name) => !sources.has(name));
  const trunk = biases(true);
  return [
    ...(batchNorm || missing(trunk).length === trunk.length
      ? missing(trunk)
      : []),
    ...missing(biases(false)),
  ];
}

/** Whether a tensor is one that a layer computes with. */
function isParameter(
  name: string,
  tensor: HostTensor | StoredTensor,
): boolean {
  return isFloat(tensor) && tensor.shape.length > 0 &&
    !tensor.shape.includes(0) && /\.(weight|bias|running_\w+)$/.test(name);
}

function zeros(shape: readonly number[]): HostTensor {
  const count = elementCount(shape);
  return { shape, data: new Float32Array(count) };
}

function hint(shapes: Shapes, batchNorm: boolean): string {
  const found = [...shapes.keys()].some((name) =>
    name.endsWith(".running_mean")
  );
  if (found === batchNorm) return "";
  return batchNorm
    ? "; the weights have no batch normalisation"
    : "; the weights have batch normalisation, which names ending in _bn have";
}
