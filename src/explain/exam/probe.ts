import type { FloatMap } from "../../image/float_map.ts";

/** A changed input, and the class whose probability is asked for. */
export interface Probe {
  readonly classIndex: number;
  /** Writes the input, [channels, height, width]; called once. */
  write(target: Float32Array): void;
}

/** Inputs to be run together with others', and what is made of the answers. */
export interface Probed<Result> {
  readonly probes: readonly Probe[];
  /** @param scores The probability that each probe's class was given. */
  result(scores: ArrayLike<number>): Result;
}

/** An explained input, as the measures of faithfulness take it. */
export interface ProbeSubject {
  /** What the network's first layer reads, [channels, height, width]. */
  readonly input: Float32Array;
  /** The map, as high and wide as the input. */
  readonly map: FloatMap;
  /** The class that the map explains. */
  readonly classIndex: number;
  /** The probability that the network gives it, unchanged. */
  readonly probability: number;
}
