import { probabilitiesOf } from "../cam/probabilities_of.ts";
import { indexOfGreatest } from "../_index_of_greatest.ts";
import { GapcamError } from "../error.ts";

/** What a map is asked to explain. */
export interface Target {
  /** The class. Of a network with one output, 1 is what it says and 0 the opposite. */
  readonly classIndex: number;
  /** A class whose logit is subtracted; undefined for none. */
  readonly against?: number;
  /** Whether the class's probability is explained, not its logit. Default: false. */
  readonly probability?: boolean;
}

/** A target whose class may be left to the network: its answer, or the next where that is subtracted. */
export type TargetChoice = Omit<Target, "classIndex"> & {
  /** The class. Default: the answer. */
  readonly classIndex?: number;
};

/** A target as the networks' outputs see it: near one image's logits, a weighted sum. */
export interface LinearTarget {
  readonly target: Target;
  /** The target's value for some logits. */
  valueOf(logits: Float32Array): number;
  /** Its derivative by each output, at some logits. */
  seedOf(logits: Float32Array): Float32Array;
  /** Whether the derivative is the same for all logits: the value is that weighted sum. */
  readonly isLinear: boolean;
}

/** What a network's outputs mean. */
export interface OutputMeaning {
  /**
   * Whether an image may show several classes, so that each output has a
   * probability of its own. Default: false; then one output alone is yes or no.
   */
  readonly eachClass?: boolean;
}

/** How many classes a network has that gives so many numbers: one is yes or no. */
export function classesOf(
  outputs: number,
  { eachClass = false }: OutputMeaning = {},
): number {
  return outputs === 1 && !eachClass ? 2 : outputs;
}

/** The likeliest class; of one output the sign says which. */
export function predictedOf(
  logits: Float32Array,
  meaning: OutputMeaning = {},
): number {
  return isYesOrNo(logits, meaning)
    ? (logits[0]! > 0 ? 1 : 0)
    : indexOfGreatest(logits);
}

/** The probability of each class: a softmax, or of one output its sigmoid. */
export function classProbabilities(
  logits: Float32Array,
  meaning: OutputMeaning = {},
): Float32Array {
  return isYesOrNo(logits, meaning)
    ? probabilitiesOf([0, logits[0]!])
    : probabilitiesOf(logits, meaning);
}

function isYesOrNo(
  { length }: Float32Array,
  { eachClass = false }: OutputMeaning,
): boolean {
  return length === 1 && !eachClass;
}

/**
 * Checks what was asked for.
 *
 * @param choice A class, or what to explain of it; the answer if undefined.
 * @throws {GapcamError} If there is no such class, or two are the same.
 */
export function targetOf(
  choice: TargetChoice | number | undefined,
  logits: Float32Array,
  meaning: OutputMeaning = {},
): LinearTarget {
  const asked = typeof choice === "number" ? { classIndex: choice } : choice;
  const target = {
    ...asked,
    classIndex: asked?.classIndex ??
      answerBeside(asked?.against, logits, meaning),
  };
  assertTarget(target, classesOf(logits.length, meaning));
  return target.probability
    ? probability(target, meaning)
    : difference(target, isYesOrNo(logits, meaning));
}

/** The likeliest class but for one. */
function answerBeside(
  against: number | undefined,
  logits: Float32Array,
  meaning: OutputMeaning,
): number {
  const predicted = predictedOf(logits, meaning);
  if (predicted !== against) return predicted;
  if (isYesOrNo(logits, meaning)) return 1 - against;
  return indexOfGreatest(
    logits.map((logit, i) => i === against ? -Infinity : logit),
  );
}

/** Throws unless a target names classes that there are. */
export function assertTarget(target: TargetChoice, classes: number): void {
  const { classIndex, against, probability = false } = target;
  for (const index of [classIndex, against]) {
    if (index === undefined) continue;
    if (Number.isInteger(index) && index >= 0 && index < classes) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot explain class ${index}: expected 0 to ${classes - 1}`,
    );
  }
  if (classIndex !== undefined && classIndex === against) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot explain class ${classIndex} against itself: expected two classes`,
    );
  }
  if (probability && against !== undefined) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot explain a probability against class ${against}: expected a ` +
        "probability or the difference of two logits",
    );
  }
}

/** A weighted sum of logits, the same for every image. */
export function weightedSum(
  target: Target,
  seed: Float32Array,
): LinearTarget {
  return {
    target,
    isLinear: true,
    valueOf: (logits) => seed.reduce((sum, v, i) => sum + v * logits[i]!, 0),
    seedOf: () => seed,
  };
}

/** A class's logit, less another's. */
function difference(target: Target, yesOrNo: boolean): LinearTarget {
  const { classIndex, against } = target;
  const seedOf = (outputs: number) => {
    const seed = new Float32Array(outputs);
    const add = (index: number, factor: number) => {
      // The one output speaks for class 1, and against class 0.
      if (yesOrNo) seed[0]! += index === 1 ? factor : -factor;
      else seed[index]! += factor;
    };
    add(classIndex, 1);
    if (against !== undefined) add(against, -1);
    // The logits of yes and no are one number and its opposite.
    if (yesOrNo && against !== undefined) seed[0]! /= 2;
    return seed;
  };
  return {
    target,
    isLinear: true,
    valueOf: (logits) =>
      seedOf(logits.length).reduce((sum, v, i) => sum + v * logits[i]!, 0),
    seedOf: (logits) => seedOf(logits.length),
  };
}

/** A class's probability. */
function probability(target: Target, meaning: OutputMeaning): LinearTarget {
  const { classIndex } = target;
  return {
    target,
    isLinear: false,
    valueOf: (logits) => classProbabilities(logits, meaning)[classIndex]!,
    seedOf: (logits) => {
      const probabilities = classProbabilities(logits, meaning);
      const own = probabilities[classIndex]!;
      const slope = own * (1 - own);
      if (isYesOrNo(logits, meaning)) {
        return Float32Array.of(classIndex === 1 ? slope : -slope);
      }
      return meaning.eachClass
        ? probabilities.map((_, i) => i === classIndex ? slope : 0)
        : probabilities.map((p, i) => i === classIndex ? slope : -own * p);
    },
  };
}
