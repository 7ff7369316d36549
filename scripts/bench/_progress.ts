import { ProgressBar } from "../_progress.ts";

/** Says on standard error what is being timed: a bar on a terminal, else a line a measure. */
export class BenchProgress implements Disposable {
  readonly #measures: readonly string[];
  readonly #rounds: number;
  readonly #bar = Deno.stderr.isTerminal()
    ? new ProgressBar(Deno.stderr)
    : undefined;
  #measure = "";

  constructor(measures: readonly string[], rounds: number) {
    this.#measures = measures;
    this.#rounds = rounds;
  }

  show(
    { measure, name, share }: { measure: string; name: string; share: number },
  ): void {
    const number = this.#measures.indexOf(measure);
    if (this.#bar) {
      const whole = (number + share) / this.#measures.length;
      const state = { label: `timing ${measure}`, share: whole, notes: [name] };
      this.#bar.draw(state, { waiting: true });
    } else if (measure !== this.#measure) {
      console.error(`timing ${measure}, ${this.#rounds} rounds`);
    }
    this.#measure = measure;
  }

  clear(): void {
    this.#bar?.clear();
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
