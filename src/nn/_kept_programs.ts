/** A program for each of the last few sizes of images that came. */
export class KeptPrograms<Program extends Disposable> implements Disposable {
  readonly #compile: (
    size: { height: number; width: number },
  ) => Promise<Program>;
  readonly #most: number;
  /** The one used last comes last. */
  readonly #kept = new Map<string, Program>();

  /**
   * @param compile Compiles a program for images of a size.
   * @param most How many are kept.
   */
  constructor(
    compile: (size: { height: number; width: number }) => Promise<Program>,
    most = 4,
  ) {
    this.#compile = compile;
    this.#most = most;
  }

  /** The program for a size, valid until another is asked for. */
  async at(size: { height: number; width: number }): Promise<Program> {
    const key = `${size.height} x ${size.width}`;
    const found = this.#kept.get(key);
    if (found) {
      this.#kept.delete(key);
      this.#kept.set(key, found);
      return found;
    }
    // First: two large ones together might not fit into memory.
    for (const [old, program] of this.#kept) {
      if (this.#kept.size < this.#most) break;
      this.#kept.delete(old);
      program[Symbol.dispose]();
    }
    const program = await this.#compile(size);
    this.#kept.set(key, program);
    return program;
  }

  /** Frees all. */
  [Symbol.dispose](): void {
    for (const program of this.#kept.values()) program[Symbol.dispose]();
    this.#kept.clear();
  }
}
