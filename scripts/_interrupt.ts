/**
 * Ctrl-C that saves first.
 *
 * @module
 */

/** Exit code of a command that Ctrl-C stopped, as shells have it. */
export const INTERRUPTED = 130;

/**
 * Turns the first Ctrl-C into an aborted signal and the second into an
 * immediate exit.
 */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #listener: () => void;

  /** Starts listening. */
  constructor(onFirst: () => void) {
    this.#listener = () => {
      if (this.#controller.signal.aborted) Deno.exit(INTERRUPTED);
      this.#controller.abort();
      onFirst();
    };
    Deno.addSignalListener("SIGINT", this.#listener);
  }

  /** Aborted by the first Ctrl-C. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Stops listening: Ctrl-C then ends the process. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#listener);
  }
}
