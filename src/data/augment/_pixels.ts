import type { Random } from "../../random.ts";

/** One image, u8 [height, width, channels], that is changed in place. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** A number in `[low, high)`. */
export function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random.uniform();
}

/** Whether what happens with this probability does. */
export function happens(random: Random, probability: number): boolean {
  return random.uniform() < probability;
}
