/** Images a second between two calls. */
export class Clock {
  readonly #batchSize: number;
  #step: number;
  #time = performance.now();

  /** Starts at `step`. */
  constructor(batchSize: number, step: number) {
    this.#batchSize = batchSize;
    this.#step = step;
  }

  /** Images a second since the last call. */
  rate(step: number): number {
    const now = performance.now();
    const seconds = (now - this.#time) / 1000;
    const images = (step - this.#step) * this.#batchSize;
    this.#step = step;
    this.#time = now;
    return images / seconds;
  }
}
