import { VGG_CONFIGURATIONS, type VggStep } from "./vgg.ts";
import { NAME_LIMIT, unwrapNames } from "../weights/_wrappers.ts";

/** Where weights come from, by how they name a trunk's layers. */
export type VggNaming = "torchvision" | "notebook" | "gapcam" | "other";

/** What {@linkcode recogniseVgg} sees in names and shapes. */
export interface RecognisedVgg {
  /** Such as `vgg16_bn`; undefined where it is none of the published ones. */
  name: string | undefined;
  /**
   * The trunk. A pool behind the last convolution leaves no trace in weights:
   * it is there where `name` is.
   */
  trunk: VggStep[];
  /** Whether batch normalisation follows each convolution. */
  batchNorm: boolean;
  /** Channels of the images. */
  inputChannels: number;
  /** How the layers are named. */
  naming: VggNaming;
  /** How many of the tensors belong to the trunk. */
  tensors: number;
}

/**
 * Recognises a VGG by its weights' names and shapes alone: convolutions of
 * 3 x 3 in a numbered sequence, in which a gap in the numbers is a pool.
 *
 * @param weights Tensors by name, or anything else with shapes.
 * @returns What it is; undefined where nothing looks like a VGG.
 *
 * @example Two convolutions, a pool between them
 * ```ts
 * import { initialise, recogniseVgg, vgg } from "@gapcam/gapcam";
 *
 * const found = recogniseVgg(initialise(vgg([4, "M", 8], { classes: 2 }), 0));
 * if (found?.trunk.join() !== "4,M,8") throw new Error();
 * ```
 */
export function recogniseVgg(
  weights: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): RecognisedVgg | undefined {
  const { tensors } = unwrapNames(weights);
  const groups = new Map<string, Map<number, readonly number[]>>();
  for (const [name, { shape }] of tensors) {
    if (name.length > NAME_LIMIT) continue;
    const match = /^(.*\.)?(\d{1,4})\.weight$/.exec(name);
    if (!match || shape.length !== 4) continue;
    if (shape[2] !== 3 || shape[3] !== 3) continue;
    const prefix = match[1] ?? "";
    const group = groups.get(prefix) ?? new Map();
    groups.set(prefix, group.set(Number(match[2]), shape));
  }
  let best: (Trunk & { prefix: string }) | undefined;
  for (const [prefix, convolutions] of groups) {
    const found = readTrunk(
      convolutions,
      tensors.has(`${prefix}1.running_mean`),
    );
    if (!found || found.tensors <= (best?.tensors ?? 0)) continue;
    best = { ...found, prefix };
  }
  if (!best) return undefined;
  const { prefix, trunk, batchNorm } = best;
  const plain = Object.entries(VGG_CONFIGURATIONS).find(([, steps]) =>
    steps.slice(0, -1).join() === trunk.join()
  );
  return {
    name: plain && `${plain[0]}${batchNorm ? "_bn" : ""}`,
    trunk: plain ? [...plain[1]] : trunk,
    batchNorm,
    inputChannels: best.inputChannels,
    naming: namingOf(prefix, tensors),
    tensors: best.tensors,
  };
}

type Trunk = Pick<
  RecognisedVgg,
  "trunk" | "batchNorm" | "inputChannels" | "tensors"
>;

/**
 * How a network names its layers: gapcam's names to the letter, the notebook's
 * `conv.N`, torchvision's `features.N`, or others.
 */
export function namingOf(
  prefix: string,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): VggNaming {
  const parts = prefix.split(".");
  const last = parts.at(-2) ?? "";
  if (last === "conv") return "notebook";
  if (last !== "features") return "other";
  const wrapper = parts.slice(0, -2).map((part) => `${part}.`).join("");
  const head = tensors.get(`${wrapper}classifier.weight`);
  return head?.shape.length === 2 ? "gapcam" : "torchvision";
}

function readTrunk(
  convolutions: ReadonlyMap<number, readonly number[]>,
  batchNorm: boolean,
): Trunk | undefined {
  const numbers = [...convolutions.keys()].sort((a, b) => a - b);
  if (numbers[0] !== 0) return undefined;
  const inputChannels = convolutions.get(0)![1]!;
  const stride = batchNorm ? 3 : 2;
  const trunk: VggStep[] = [];
  let channels = inputChannels;
  let next = 0;
  for (const number of numbers) {
    const [outputs, inputs] = convolutions.get(number)!;
    // Pools are single layers; a run of them is no VGG.
    if (inputs !== channels || number < next || number > next + 2) {
      return undefined;
    }
    for (; next < number; next++) trunk.push("M");
    trunk.push(outputs!);
    channels = outputs!;
    next = number + stride;
  }
  return {
    trunk,
    batchNorm,
    inputChannels,
    tensors: numbers.length * (batchNorm ? 6 : 2),
  };
}
