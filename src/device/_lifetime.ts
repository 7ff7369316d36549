import { GapcamError } from "../error.ts";

/**
 * What tensors and programs share with the device or program that they hang
 * on. Holding it keeps that owner from being collected, and so from being
 * closed by the finalizer, while anything on it can still be used.
 */
export class Lifetime {
  /** Held, not used: see above. */
  readonly owner: object;
  readonly #parent: Lifetime | undefined;
  #ended: string | undefined;
  #calls = 0;
  #release: (() => void) | undefined;

  /** Starts the lifetime of `owner`, which ends with that of `parent` at the latest. */
  constructor(owner: object, parent?: Lifetime) {
    this.owner = owner;
    this.#parent = parent;
  }

  /**
   * Ends it, once; `why` is a clause such as `its device was closed`. Runs
   * `release`, which gives the owner's handle back, as soon as no call that
   * {@linkcode hold} was asked for is in flight: such a call waits for a
   * thread, and must find what it was started with when it gets one.
   */
  end(why: string, release: () => void): void {
    this.#ended = why;
    if (this.#calls === 0) release();
    else this.#release = release;
  }

  /** Puts off what {@linkcode end} releases, here and in the parent, until disposed of. */
  hold(): Disposable {
    const parent = this.#parent?.hold();
    this.#calls++;
    return {
      [Symbol.dispose]: () => {
        if (--this.#calls === 0) this.#release?.();
        parent?.[Symbol.dispose]();
      },
    };
  }

  /** Throws, as the end of a sentence that starts with `action`, once it has ended. */
  assertAlive(action: () => string): void {
    this.#parent?.assertAlive(action);
    if (this.#ended === undefined) return;
    throw new GapcamError("invalid-handle", `${action()}: ${this.#ended}`);
  }
}
