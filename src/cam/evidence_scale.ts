import { GapcamError } from "../error.ts";
import type { FloatMap } from "../image/float_map.ts";
import { normaliseMap } from "./normalise_map.ts";

/** Which values of a raw map get the first and the last colour. */
export interface EvidenceScale {
  /** The value of the first colour: 0, or `-last` if signed. */
  readonly first: number;
  /** The value of the last colour, at least `unit`. */
  readonly last: number;
  /** Whether values below zero have colours of their own. */
  readonly signed: boolean;
  /**
   * Whether the map is the same everywhere to within a twentieth of itself, so
   * that no place stands out and nothing should be coloured.
   */
  readonly flat: boolean;
  /** The smallest value of the map. */
  readonly minimum: number;
  /** The largest value of the map. */
  readonly maximum: number;
}

const FLAT = 0.05;

/**
 * Chooses a scale that lets a map show no more than it holds: anchored at zero,
 * reaching to the map's greatest absolute value, or to that of a stronger map
 * that it is to be compared with. A map that speaks against its class, or hardly
 * for it, stays dark, where stretching it from its own minimum to its own
 * maximum would make it glow.
 *
 * The last colour stands for one unit of the logit at least, a factor of e in
 * the odds of the class: less is next to nothing, however a picture stretches it.
 * A map that is no sum of logits has no such unit.
 *
 * @param map The raw map, in units of the logit.
 * @param options `signed`: whether the scale is symmetric about zero, for a
 * diverging colour map; false if left out. `peak`: the greatest absolute value
 * of maps that this one is compared with, such as the answer's. `unit`: the least
 * value of the last colour, 1 if left out; 0 for a map in units of its own.
 * @returns The scale.
 * @throws {GapcamError} If a value is not finite, or the peak is negative.
 *
 * @example A map that holds little but evidence against
 * ```ts
 * import { evidenceScale } from "@gapcam/gapcam/cam";
 *
 * const map = { height: 1, width: 2, data: Float32Array.of(-11, 0.5) };
 * const { first, last } = evidenceScale(map);
 * if (first !== 0 || last !== 11) throw new Error();
 * ```
 */
export function evidenceScale(
  map: FloatMap,
  options: { signed?: boolean; peak?: number; unit?: number } = {},
): EvidenceScale {
  const { signed = false, peak = 0, unit = 1 } = options;
  for (const [name, value] of [["peak", peak], ["unit", unit]] as const) {
    if (value >= 0 && value < Infinity) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot scale map: found ${name} ${value}, expected a number from 0 up`,
    );
  }
  const { minimum, maximum } = normaliseMap(map);
  const greatest = Math.max(Math.abs(minimum), Math.abs(maximum));
  // What is zero everywhere has colours too, though it is given none.
  const last = Math.max(unit, peak, greatest) || 1;
  return {
    first: signed ? -last : 0,
    last,
    signed,
    flat: maximum - minimum <= FLAT * greatest,
    minimum,
    maximum,
  };
}
