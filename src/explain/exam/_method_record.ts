import { definedOf } from "../../_defined_of.ts";
import type { Curves, MethodResult, Randomisation } from "./exam.ts";
import type { InsertionDeletion } from "./insertion_deletion.ts";
import { Mean } from "./_mean.ts";
import type { ScoreName } from "./measures.ts";

/** Collects what is measured of one method. */
export class MethodRecord {
  readonly #scores = new Map<ScoreName, Mean>();
  #curves: InsertionDeletion[] = [];
  /** Seconds and maps of each call. */
  readonly #calls: { seconds: number; maps: number }[] = [];
  readonly #stages = new Map<number, Mean>();

  /** Adds one map's number. */
  add(name: ScoreName, value: number): void {
    let mean = this.#scores.get(name);
    if (!mean) this.#scores.set(name, mean = new Mean());
    mean.add(value);
  }

  /** Adds the curves of one image. */
  addCurves(curves: InsertionDeletion): void {
    this.#curves.push(curves);
  }

  /** Adds how long some maps took. */
  addTime(seconds: number, maps: number): void {
    this.#calls.push({ seconds, maps });
  }

  /** Adds how alike one map and that of a network with random layers are. */
  addStage(layers: number, correlation: number): void {
    let mean = this.#stages.get(layers);
    if (!mean) this.#stages.set(layers, mean = new Mean());
    mean.add(correlation);
  }

  /** All that was collected. */
  result(method: string): MethodResult {
    return {
      method,
      scores: Object.fromEntries(
        Array.from(this.#scores, ([name, mean]) => [name, mean.score()]),
      ),
      ...definedOf({
        curves: this.#meanCurves(),
        randomisation: this.#randomisation(),
        secondsPerMap: this.#secondsPerMap(),
      }),
    };
  }

  #meanCurves(): Curves | undefined {
    const [first] = this.#curves;
    if (!first) return undefined;
    const mean = (side: "deletion" | "insertion") =>
      first.shares.map((_, i) =>
        this.#curves.reduce((sum, curve) => sum + curve[side][i]!, 0) /
        this.#curves.length
      );
    return {
      shares: first.shares,
      deletion: mean("deletion"),
      insertion: mean("insertion"),
    };
  }

  #randomisation(): Randomisation | undefined {
    if (this.#stages.size === 0) return undefined;
    const scores = Array.from(this.#stages.values(), (mean) => mean.score());
    return {
      layers: [...this.#stages.keys()],
      correlations: scores.map(({ mean }) => mean),
      images: scores[0]!.count,
      unchanged: scores.at(-1)!.mean > UNCHANGED,
    };
  }

  /** The first call may compile and warm up; it counts only if it is the only one. */
  #secondsPerMap(): number | undefined {
    const calls = this.#calls.length > 1 ? this.#calls.slice(1) : this.#calls;
    const maps = calls.reduce((sum, call) => sum + call.maps, 0);
    if (maps === 0) return undefined;
    return calls.reduce((sum, { seconds }) => sum + seconds, 0) / maps;
  }
}

/** Maps of a random network that are more alike than this show no training. */
const UNCHANGED = 0.5;
