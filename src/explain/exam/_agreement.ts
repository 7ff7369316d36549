import type { FloatMap } from "../../image/float_map.ts";
import { compareMaps } from "./_maps.ts";
import { Mean } from "./_mean.ts";

/** How alike the maps of several methods are: mean rank correlations. */
export class Agreement {
  readonly #means: readonly (readonly Mean[])[];

  /** @param count How many methods. */
  constructor(count: number) {
    this.#means = Array.from(
      { length: count },
      (_, a) => Array.from({ length: a }, () => new Mean()),
    );
  }

  /** Adds the maps of one image and class, one a method. */
  add(maps: readonly FloatMap[]): void {
    this.#means.forEach((row, a) =>
      row.forEach((mean, b) => mean.add(compareMaps(maps[a]!, maps[b]!)))
    );
  }

  /** A square of them; a method agrees with itself. */
  matrix(): number[][] {
    return this.#means.map((_, a) =>
      this.#means.map((_, b) =>
        a === b ? 1 : this.#means[Math.max(a, b)]![Math.min(a, b)]!.score().mean
      )
    );
  }
}
