/**
 * Signals that end a command after it saved: Ctrl-C, `kill`, a closed terminal.
 *
 * @module
 */

import { libraryFolder } from "../src/device/_library.ts";

/** Number of each signal, and exit code less 128, as shells have it. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

type SignalName = keyof typeof SIGNALS;

const SIGNAL_NAMES = Object.keys(SIGNALS) as SignalName[];

/**
 * Ctrl-C reaches a command under `deno task` twice, from the terminal and from
 * `deno task`, which hands its own on: what follows within this time is the
 * same key.
 */
const SAME_KEY_MS = 1000;

/**
 * Turns the first signal that asks for an end into an aborted signal; the next
 * Ctrl-C or `kill`, if it is not the same one again, ends the process at once.
 */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #listeners: [SignalName, () => void][] = [];
  #first: { name: SignalName; time: number } | undefined;

  /**
   * Starts listening.
   *
   * @param onFirst Called at the first signal.
   */
  constructor(onFirst: () => void) {
    // Asked before the first listener: with it Deno takes all of them over.
    const ignored = new Map(
      SIGNAL_NAMES.map((name) => [name, isIgnored(SIGNALS[name])]),
    );
    for (const name of SIGNAL_NAMES) {
      const listener = () => {
        // `nohup` and `&` in a script have said that these are of no concern.
        if (ignored.get(name)) return;
        if (!this.#first) {
          this.#first = { name, time: performance.now() };
          this.#controller.abort();
          onFirst();
        } else if (
          name !== "SIGHUP" &&
          performance.now() - this.#first.time > SAME_KEY_MS
        ) Deno.exit(this.code);
      };
      Deno.addSignalListener(name, listener);
      this.#listeners.push([name, listener]);
    }
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolved by the first signal. */
  get pressed(): Promise<void> {
    const { signal } = this;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) =>
      signal.addEventListener("abort", () => resolve())
    );
  }

  /** Exit code of a command that was stopped so. */
  get code(): number {
    return 128 + SIGNALS[this.#first?.name ?? "SIGINT"];
  }

  /** Stops listening: a signal then ends the process. */
  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) {
      Deno.removeSignalListener(name, listener);
    }
  }
}

/**
 * Whether the process was started with a signal ignored. Deno cannot tell, but
 * the C library can, and every native library brings it along.
 */
function isIgnored(signal: number): boolean {
  try {
    const path = `${libraryFolder()}/libgapcam_cpu.so`;
    // A command that computes nothing may not ask, and need not bother the user.
    const { state } = Deno.permissions.querySync({ name: "ffi", path });
    if (state !== "granted") return looksIgnored(signal);
    using library = disposable(Deno.dlopen(path, {
      sigaction: { parameters: ["i32", "pointer", "buffer"], result: "i32" },
    }));
    // struct sigaction begins with the handler; SIG_IGN is 1.
    const action = new BigUint64Array(32);
    const status = library.value.symbols.sigaction(signal, null, action);
    if (status === 0 && action[0] === 1n) return true;
  } catch {
    return looksIgnored(signal);
  }
  // `deno task` listens itself, and starts its command with nothing ignored.
  return Boolean(Deno.env.get("INIT_CWD")) && looksIgnored(signal);
}

/** `nohup` turns the terminals that it finds into files; elsewhere not stdin. */
function looksIgnored(signal: number): boolean {
  const streams = Deno.build.os === "linux"
    ? [Deno.stdin, Deno.stdout, Deno.stderr]
    : [Deno.stdout, Deno.stderr];
  return signal === SIGNALS.SIGHUP &&
    !streams.some((stream) => stream.isTerminal());
}

function disposable<Library extends { close(): void }>(
  value: Library,
): Disposable & { value: Library } {
  return { value, [Symbol.dispose]: () => value.close() };
}
