/**
 * What is shown of an image: its class activation map, or another method's.
 *
 * @module
 */

import type { MapProof } from "../src/cam/prove_map.ts";
import type { MethodTile } from "../src/cam/methods_figure.ts";
import { definedOf } from "../src/_defined_of.ts";
import { GapcamError } from "../src/error.ts";
import { Explainer, type Explanation } from "../src/explain/explainer.ts";
import type {
  MethodExplanation,
  MethodFacts,
  MethodName,
} from "../src/explain/method.ts";
import { MethodExplainer } from "../src/explain/method_explainer.ts";
import { METHODS } from "../src/explain/methods.ts";
import type { FloatMap } from "../src/image/float_map.ts";
import type { OutputMeaning } from "../src/explain/target.ts";
import type { ImageOptions, Network } from "../src/nn/network.ts";

/** Which of a method's maps is wanted. */
export interface MethodChoice {
  /** The method, or all; the proved class activation map if undefined. */
  method?: MethodName | "all" | undefined;
  /** Names of the layers; the method's own if undefined. */
  layers?: readonly string[] | undefined;
}

/** What one of all methods made, or why it could not. */
export interface MethodAnswer {
  facts: MethodFacts;
  explanation?: MethodExplanation;
  reason?: string;
}

/** An explanation as pictures, tables and pages need it. */
export interface Shown extends Omit<Explanation, "proof"> {
  /** The proof of the sum of a class activation map. */
  readonly proof?: MapProof;
  /** What another method made, and what is known of it. */
  readonly made?: { facts: MethodFacts; explanation: MethodExplanation };
  /** The method's title, where the map is not in units of the logit. */
  readonly title?: string;
  /** What is painted in the map's place. */
  readonly painted?: FloatMap;
  /** What every method made, where all were asked for; the rest is the first's. */
  readonly all?: readonly MethodAnswer[];
}

/** Makes what is shown of a batch. */
export interface ShownExplainer extends Disposable {
  /** Explains 1 to `batchSize` images. */
  explain(
    pixels: Uint8Array,
    options: {
      classIndex?: number;
      against?: number;
      top?: number;
    },
  ): Promise<Shown[]>;
}

/** Compiles a network for the maps that are shown. */
export async function openExplainer(
  network: Network,
  options: ImageOptions & MethodChoice & OutputMeaning,
): Promise<ShownExplainer> {
  const { method, layers, ...images } = options;
  if (method === undefined) {
    const explainer = await Explainer.create(network, images);
    const { eachClass = false } = options;
    return {
      explain: (pixels, target) =>
        explainer.explain(pixels, { ...target, eachClass }),
      [Symbol.dispose]: () => explainer[Symbol.dispose](),
    };
  }
  if (method === "all") return everyMethod(network, options);
  const explainer = await MethodExplainer.create(network, {
    ...images,
    method,
    ...(layers ? { layer: layers } : {}),
  });
  return {
    async explain(pixels, { classIndex, against }) {
      const all = await explainer.explain(
        pixels,
        definedOf({ classIndex, against }),
      );
      return all.map((one) => shownOf(one, explainer.method));
    },
    [Symbol.dispose]: () => explainer[Symbol.dispose](),
  };
}

/** Explains with every method, one compiled after the other: together they may not fit into memory. */
function everyMethod(
  network: Network,
  { layers, method: _, ...images }:
    & ImageOptions
    & MethodChoice
    & OutputMeaning,
): ShownExplainer {
  return {
    async explain(pixels, { classIndex, against }) {
      const answers: MethodAnswer[][] = [];
      for (const facts of METHODS) {
        try {
          using explainer = await MethodExplainer.create(network, {
            ...images,
            method: facts.name,
            ...(layers && facts.looksAt === "layer" ? { layer: layers } : {}),
          });
          const all = await explainer.explain(
            pixels,
            definedOf({ classIndex, against }),
          );
          answers.push(all.map((explanation) => ({ facts, explanation })));
        } catch (error) {
          // The network has no such map; all else is worth an end.
          if (!(error instanceof GapcamError) || error.code !== "unsupported") {
            throw error;
          }
          answers.push([{ facts, reason: error.message }]);
        }
      }
      const made = answers.filter(([one]) => one!.explanation);
      return made[0]!.map(({ explanation, facts }, i) => ({
        ...shownOf(explanation!, facts),
        all: answers.map((all) => all[i] ?? all[0]!),
      }));
    },
    [Symbol.dispose]: () => {},
  };
}

/** What a tile of all methods shows. */
export function tileOf(
  { facts, explanation, reason }: MethodAnswer,
): MethodTile {
  const { title } = facts;
  if (!explanation) return { title, ...(reason ? { reason } : {}) };
  const { map, standing, residual } = explanation;
  const empty = emptySentence(explanation);
  const { painted } = shownOf(explanation, facts);
  return {
    ...{ title, map, standing },
    ...(residual === undefined ? {} : { residual }),
    ...(painted ? { painted } : {}),
    ...(empty ? { reason: empty } : {}),
  };
}

/** A method's explanation as pictures need it. */
export function shownOf(
  explanation: MethodExplanation,
  facts: MethodFacts,
): Shown {
  const { target, map, probabilities } = explanation;
  const { classIndex, against } = target;
  return {
    ...{ classIndex, map, probabilities },
    ...(against === undefined ? {} : { against }),
    place: explanation.place,
    logits: explanation.logits,
    predicted: explanation.predicted,
    probability: probabilities[classIndex]!,
    // Of maps in units of their own there is none to measure by.
    peak: 0,
    made: { facts, explanation },
    title: facts.title,
    ...(facts.looksAt === "pixels" ? { painted: withoutPeaks(map) } : {}),
  };
}

/** What stands behind a method's map, in words. */
export function standingSentence({ facts, explanation }: {
  facts: MethodFacts;
  explanation: MethodExplanation;
}): string {
  const { standing, residual, layers, note } = explanation;
  const where = layers.length > 0 ? ` of ${layers.join(" and ")}` : "";
  const found = residual === undefined
    ? ""
    : `, residual ${residual === 0 ? "0" : residual.toExponential(1)}`;
  const meaning = standing === "heuristic"
    ? "no proof of it is known"
    : facts.claim ?? "";
  return `${facts.title}${where}: ${standing} (${meaning}${found})` +
    (note ? `; ${note}` : "");
}

/** Why nothing is painted, in words; undefined where something is. */
export function emptySentence(
  { empty }: MethodExplanation,
): string | undefined {
  return empty === undefined
    ? undefined
    : empty === "zero"
    ? "the map is zero everywhere"
    : "no value of the map is above zero";
}

/** Of a hundred values the strongest is painted as the next: single pixels outshine all. */
function withoutPeaks(map: FloatMap): FloatMap {
  const sizes = map.data.map(Math.abs).sort();
  const most = sizes[Math.floor(0.99 * (sizes.length - 1))]!;
  if (most === 0) return map;
  const data = map.data.map((value) => Math.max(-most, Math.min(most, value)));
  return { ...map, data };
}
