import type { Score } from "./exam.ts";

/** Collects numbers for their mean (Welford 1962). */
export class Mean {
  #count = 0;
  #mean = 0;
  #squares = 0;

  /** Adds a number. */
  add(value: number): void {
    this.#count++;
    const before = value - this.#mean;
    this.#mean += before / this.#count;
    this.#squares += before * (value - this.#mean);
  }

  /** What came together so far. */
  score(): Score {
    const count = this.#count;
    const variance = count > 1 ? this.#squares / (count - 1) : 0;
    return {
      mean: this.#mean,
      error: Math.sqrt(variance / Math.max(1, count)),
      count,
    };
  }
}
