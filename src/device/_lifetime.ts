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

  /** Starts the lifetime of `owner`, which ends with that of `parent` at the latest. */
  constructor(owner: object, parent?: Lifetime) {
    this.owner = owner;
    this.#parent = parent;
  }

  /** Ends it; `why` is a clause such as `its device was closed`. */
  end(why: string): void {
    this.#ended ??= why;
  }

  /** Throws, as the end of a sentence that starts with `action`, once it has ended. */
  assertAlive(action: () => string): void {
    this.#parent?.assertAlive(action);
    if (this.#ended === undefined) return;
    throw new GapcamError("invalid-handle", `${action()}: ${this.#ended}`);
  }
}
