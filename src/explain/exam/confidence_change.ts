import { maskOf } from "./_mask.ts";
import type { Probed, ProbeSubject } from "./probe.ts";

/** What becomes of the answer where only what the map shows is left. */
export interface ConfidenceChange {
  /** Share of the class's probability that is lost, in [0, 1]. */
  readonly drop: number;
  /** 1 where the probability rises, else 0. */
  readonly increase: number;
}

/**
 * Average drop and increase in confidence, section 4.1 of Chattopadhay, Sarkar,
 * Howlader and Balasubramanian, "Grad-CAM++", WACV 2018: the normalised input
 * times the map, whose negative values count as 0 and whose greatest as 1.
 */
export function confidenceChange(
  subject: ProbeSubject,
): Probed<ConfidenceChange> {
  const { input, map, classIndex, probability } = subject;
  return {
    probes: [{
      classIndex,
      write: (target) => {
        const mask = maskOf(map);
        for (let i = 0; i < input.length; i++) {
          target[i] = input[i]! * mask[i % mask.length]!;
        }
      },
    }],
    result: ({ 0: masked }) => ({
      drop: Math.max(0, probability - masked!) / (probability + 1e-7),
      increase: masked! > probability ? 1 : 0,
    }),
  };
}
