/** Points of a curve, in order. */
export interface SeriesPoints {
  /** Steps that were done. */
  steps: number[];
  /** Seconds of training that they took. */
  seconds: number[];
  /** What was measured then. */
  values: number[];
}

interface Point {
  step: number;
  seconds: number;
  value: number;
}

/** Neighbouring points, of which the least and the greatest are kept. */
interface Bucket {
  least: Point;
  greatest: Point;
  /** How many points went in. */
  count: number;
}

/**
 * A curve of any number of points that keeps few: the least and the greatest of
 * each stretch, so that no peak is lost, and the first and the last of all.
 * While there are few points, it has every one.
 *
 * @example
 * ```ts
 * import { ThinnedSeries } from "./thinned_series.ts";
 *
 * const series = new ThinnedSeries(10);
 * for (let step = 1; step <= 1000; step++) {
 *   series.add(step, step / 10, step === 500 ? 7 : 1);
 * }
 * const { steps, values } = series.points();
 * if (steps.length > 22 || !values.includes(7)) throw new Error("unexpected");
 * if (steps.at(-1) !== 1000) throw new Error("unexpected");
 * ```
 */
export class ThinnedSeries {
  readonly #most: number;
  /** Points a bucket. */
  #stride = 1;
  #buckets: Bucket[] = [];
  #first: Point | undefined;
  /** The last point; while it is undefined, the three numbers are it. */
  #last: Point | undefined;
  #lastStep = NaN;
  #lastSeconds = NaN;
  #lastValue = NaN;

  /** @param most Stretches at most, from 2: so many points, and as many again. */
  constructor(most = 1000) {
    this.#most = most;
  }

  /** Adds a point; one that is no number is left out. */
  add(step: number, seconds: number, value: number): void {
    if (!Number.isFinite(value)) return;
    const bucket = this.#buckets[this.#buckets.length - 1];
    if (bucket && bucket.count < this.#stride) {
      bucket.count++;
      // Of a million points few are kept, and no other is made.
      this.#last = undefined;
      this.#lastStep = step;
      this.#lastSeconds = seconds;
      this.#lastValue = value;
      const { least, greatest } = bucket;
      if (value >= least.value && value <= greatest.value) return;
      const point = { step, seconds, value };
      if (value < least.value) bucket.least = point;
      else bucket.greatest = point;
      return;
    }
    const point = { step, seconds, value };
    this.#first ??= point;
    this.#last = point;
    if (this.#buckets.length === this.#most) this.#merge();
    this.#buckets.push({ least: point, greatest: point, count: 1 });
  }

  /** Takes back all points after a step: a run went on from there. */
  cutAfter(step: number): void {
    const stays = (point: Point) => point.step <= step;
    const end = this.#end();
    if (!end || stays(end)) return;
    this.#buckets = this.#buckets.flatMap((bucket) => {
      const { least, greatest, count } = bucket;
      if (stays(least) && stays(greatest)) return bucket;
      if (stays(least)) return { least, greatest: least, count };
      if (stays(greatest)) return { least: greatest, greatest, count };
      return [];
    });
    if (!stays(this.#first!)) this.#first = undefined;
    const rest = this.#buckets.at(-1);
    this.#last = rest && inOrder(rest).at(-1);
  }

  /** The points that are kept. */
  points(): SeriesPoints {
    const all = this.#buckets.flatMap(inOrder);
    const [first, last] = [this.#first, this.#end()];
    if (first && all[0]!.step > first.step) all.unshift(first);
    if (last && all.at(-1)!.step < last.step) all.push(last);
    return {
      steps: all.map(({ step }) => step),
      seconds: all.map(({ seconds }) => seconds),
      values: all.map(({ value }) => value),
    };
  }

  /** The last point of all. */
  #end(): Point | undefined {
    if (this.#last || this.#buckets.length === 0) return this.#last;
    return {
      step: this.#lastStep,
      seconds: this.#lastSeconds,
      value: this.#lastValue,
    };
  }

  /** Two buckets become one. */
  #merge(): void {
    const merged: Bucket[] = [];
    for (let i = 0; i < this.#buckets.length; i += 2) {
      const one = this.#buckets[i]!;
      const other = this.#buckets[i + 1] ?? one;
      merged.push({
        least: other.least.value < one.least.value ? other.least : one.least,
        greatest: other.greatest.value > one.greatest.value
          ? other.greatest
          : one.greatest,
        count: one.count + (other === one ? 0 : other.count),
      });
    }
    this.#buckets = merged;
    this.#stride *= 2;
  }
}

function inOrder({ least, greatest }: Bucket): Point[] {
  if (least === greatest) return [least];
  return least.step < greatest.step ? [least, greatest] : [greatest, least];
}
